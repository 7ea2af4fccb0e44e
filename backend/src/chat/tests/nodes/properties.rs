//! Any interleaving of senders on several nodes, with any faults of the log, keeps the invariants of the log and makes equal
//! databases.

use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;

use super::*;

const NODES: usize = 3;

/// The faults of a node's appends and of its reading, in their order.
type Faults = (Vec<Option<AppendFault>>, Vec<Option<FollowFault>>);

fn append_faults() -> impl Strategy<Value = Vec<Option<AppendFault>>> {
    let fault = prop_oneof![
        Just(AppendFault::AnswerLost),
        Just(AppendFault::Lost),
        Just(AppendFault::Delayed),
        Just(AppendFault::Silent)
    ];
    vec(weighted(0.4, fault), 0..40)
}

fn follow_faults() -> impl Strategy<Value = Vec<Option<FollowFault>>> {
    let fault = prop_oneof![Just(FollowFault::Repeated), Just(FollowFault::Broken)];
    vec(weighted(0.3, fault), 0..40)
}

async fn run(plans: Vec<(usize, Vec<super::super::log::Act>)>, faults: Vec<Faults>) {
    let log = Memory::new(1);
    let nodes = nodes(&log, NODES);
    let maker = nodes[0].test.join("Maker").await;
    let mut ids = vec![RoomId::GENERAL.to_owned()];
    for n in 0..2 {
        let name = RoomName::parse(&format!("Room {n}")).unwrap();
        let view = nodes[0].core().create_room(&maker.user, name, operation(0, n)).await.unwrap();
        ids.push(view.id.as_str().to_owned());
    }
    for (node, (appends, follows)) in nodes.iter().zip(faults) {
        node.connection.order(appends, follows);
    }
    let mut senders = Vec::new();
    for (number, (at, acts)) in plans.into_iter().enumerate() {
        // The session begins at one node, and is used at another.
        let joined = nodes[(at + 1) % NODES].test.join_unused(&format!("Sender {number}")).await.unwrap();
        let session = nodes[at].session(&TokenHash::of(joined.token.as_str())).await.unwrap();
        let mut rooms = Vec::new();
        for id in &ids {
            rooms.push(nodes[at].room(id).await);
        }
        senders.push(tokio::spawn(carry_out(nodes[at].core().clone(), session, rooms, acts)));
    }
    let mut accounts: Vec<Account> = Vec::new();
    for sender in senders {
        accounts.push(sender.await.unwrap());
    }
    assert_equal(&log, &nodes).await;
    for node in &nodes {
        let mut rooms = Vec::new();
        for id in &ids {
            rooms.push(node.room(id).await);
        }
        check_accounts(&node.test, &rooms, &accounts).await;
    }
    let counts = log.counts();
    assert_eq!(counts.stored, log.end());
    for node in nodes {
        let folder = node.close().await;
        assert_eq!(check(folder.path()).unwrap().findings, [""; 0]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_interleaving_on_several_nodes_with_faults_gives_equal_databases_and_one_log(
        plans in vec((0..NODES, vec(act(), 1..20)), 1..7),
        faults in vec((append_faults(), follow_faults()), NODES),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(run(plans, faults));
    }
}
