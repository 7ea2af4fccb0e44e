//! The keys by which names are compared, and the database's id: what the table `installation` knows.
//!
//! Keys follow the rules and the Unicode tables of the program that computed them. When these have changed, all keys are
//! computed again. Users and rooms keep their names, even if two of them look alike by the new rules.

use std::collections::HashMap;

use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use super::super::text::{key_version, name_key};
use super::OpenError;

/// The database's id: random, the same for its whole life, in its copies, and in all databases that follow the same log.
pub(super) fn database_id(connection: &Connection) -> Result<String, rusqlite::Error> {
    connection.query_row("SELECT id FROM installation", [], |row| row.get(0))
}

/// Computes all keys again, if they were computed by other rules. Logs names that look alike.
pub(super) fn update_keys(connection: &mut Connection) -> Result<(), OpenError> {
    let current = key_version();
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let known: String = transaction.query_row("SELECT name_rules FROM installation", [], |row| row.get(0))?;
    if known == current {
        return Ok(());
    }
    for (user, first) in update_table(&transaction, USERS)? {
        tracing::warn!(
            user.id = user,
            other.id = first,
            "the names of two users look alike by the new rules; both keep them"
        );
    }
    for (room, first) in update_table(&transaction, ROOMS)? {
        tracing::warn!(
            room.id = room,
            other.id = first,
            "the names of two rooms look alike by the new rules; both keep them"
        );
    }
    transaction.execute("UPDATE installation SET name_rules = ?1", [current])?;
    transaction.commit()?;
    Ok(())
}

/// The statements for one table. `rows`: key, id, name, and whether the key has to be unique.
#[derive(Clone, Copy)]
struct Table {
    rows: &'static str,
    clear: &'static str,
    update: &'static str,
}

const USERS: Table = Table {
    rows: "SELECT key, id, name, live FROM users ORDER BY key",
    clear: "UPDATE users SET name_key = char(10) || key",
    update: "UPDATE users SET name_key = ?2 WHERE key = ?1",
};

const ROOMS: Table = Table {
    rows: "SELECT key, id, name, 1 FROM rooms ORDER BY key",
    clear: "UPDATE rooms SET name_key = char(10) || key",
    update: "UPDATE rooms SET name_key = ?2 WHERE key = ?1",
};

/// Computes the keys of a table. Returns each id whose name looks like that of an earlier one, with the earlier one's id.
fn update_table(
    transaction: &Transaction<'_>,
    table: Table,
) -> Result<Vec<(String, String)>, rusqlite::Error> {
    let mut statement = transaction.prepare(table.rows)?;
    let rows: Vec<(i64, String, String, bool)> = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?
        .collect::<Result<_, _>>()?;
    // A new key may be the old one of a row that comes later.
    transaction.execute(table.clear, [])?;
    let mut update = transaction.prepare(table.update)?;
    let (mut holders, mut alike) = (HashMap::new(), Vec::new());
    for (key, id, name, is_unique) in rows {
        let mut new_key = name_key(&name);
        if is_unique {
            if let Some(first) = holders.get(&new_key) {
                alike.push((id.clone(), String::clone(first)));
                // A line break is in no key of a name, so this one is equal to none.
                new_key = format!("{new_key}\n{key}");
            } else {
                holders.insert(new_key.clone(), id);
            }
        }
        update.execute(params![key, new_key])?;
    }
    Ok(alike)
}

#[cfg(test)]
mod tests {
    use super::super::schema;
    use super::*;

    fn keys(connection: &Connection, sql: &str) -> Vec<String> {
        let mut statement = connection.prepare(sql).unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
    }

    #[test]
    fn keys_of_older_rules_are_computed_again_and_collisions_are_found() {
        let mut connection = Connection::open_in_memory().unwrap();
        schema::migrate(&mut connection).unwrap();
        connection
            .execute_batch(
                "INSERT INTO users (key, id, name, name_key, live, created_at_ms) VALUES
                     (1, 'u1', 'Ada', 'ada', 1, 0), (2, 'u2', 'Аdа', 'аdа', 1, 0), (3, 'u3', 'ADA', 'ada', 0, 0);
                 INSERT INTO rooms (key, id, name, name_key, epoch, created_at_ms) VALUES
                     (1, 'general', 'general', 'general', 1, 0), (2, 'r2', 'Tea', 'tea', 1, 0),
                     (3, 'r3', 'Теа', 'теа', 1, 0);",
            )
            .unwrap();

        update_keys(&mut connection).unwrap();

        let ada = name_key("Ada");
        let users = keys(&connection, "SELECT name_key FROM users ORDER BY key");
        assert_eq!(users, [ada.clone(), format!("{ada}\n2"), ada]);
        let rooms = keys(&connection, "SELECT name_key FROM rooms ORDER BY key");
        assert_eq!(rooms, [name_key("general"), name_key("Tea"), format!("{}\n3", name_key("Tea"))]);
        assert_eq!(keys(&connection, "SELECT name_rules FROM installation"), [key_version()]);
        // They are not computed at every opening.
        connection.execute("UPDATE users SET name_key = 'kept' WHERE key = 1", []).unwrap();
        update_keys(&mut connection).unwrap();
        assert_eq!(keys(&connection, "SELECT name_key FROM users WHERE key = 1"), ["kept"]);
    }

    #[test]
    fn databases_have_different_ids() {
        let id = || {
            let mut connection = Connection::open_in_memory().unwrap();
            schema::migrate(&mut connection).unwrap();
            database_id(&connection).unwrap()
        };
        let (one, two) = (id(), id());
        assert_eq!(one.len(), 12);
        assert!(one.chars().all(|c| c.is_ascii_hexdigit()));
        assert_ne!(one, two);
    }
}
