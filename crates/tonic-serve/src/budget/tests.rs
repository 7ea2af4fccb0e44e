//! Places of connections, without connections.

use std::future::poll_fn;

use http::Request;

use super::body::Room;
use super::*;
use crate::client::ClientAddress;

fn budget(is_proxy: bool, change: impl FnOnce(&mut ServeOptions)) -> Budget {
    let mut options = ServeOptions::default();
    change(&mut options);
    Budget::new(&options, Box::new(move |_| is_proxy))
}

fn address(last: u8) -> IpAddr {
    IpAddr::from([192, 0, 2, last])
}

/// A connection with a call that carries a session.
fn busy(budget: &Budget, from: IpAddr) -> Result<(Ticket, call::OpenCall), Limit> {
    let place = budget.admit(from)?;
    let mut request = Request::get("/").header("cookie", "a=b").body(()).unwrap();
    let call = place.peer().open_call(&mut request);
    Ok((place, call))
}

#[test]
fn networks_of_ipv6_count_as_one_address() {
    let budget = budget(false, |options| options.max_connections_per_address = 1);
    let from = |text: &str| busy(&budget, text.parse().unwrap());
    let one = from("2001:db8::1").unwrap();
    assert_eq!(from("2001:db8::2").err(), Some(Limit::ConnectionsPerAddress));
    let other = from("2001:db8:0:1::1").unwrap();
    drop(one);
    assert!(from("2001:db8::2").is_ok());
    drop(other);
}

#[test]
fn a_proxy_may_have_more_connections_and_its_clients_have_addresses_of_their_own() {
    let budget = budget(true, |options| {
        options.max_connections_per_address = 1;
        options.max_calls_per_address = 4;
    });
    let places: Vec<_> = (0..100).map(|_| budget.admit(address(1)).unwrap()).collect();
    let call = |client| {
        let mut request = Request::get("/").body(()).unwrap();
        request.extensions_mut().insert(ClientAddress(client));
        let call = places[0].peer().open_call(&mut request);
        let refused = request.extensions().get().is_some_and(CallAccount::is_refused);
        (call, refused)
    };
    let three = [call(address(7)), call(address(7)), call(address(7))];
    assert!(three.iter().all(|(_, refused)| !refused));
    assert!(call(address(7)).1);
    assert!(!call(address(8)).1);
    drop(three);
    assert!(!call(address(7)).1);
}

#[test]
fn an_address_is_forgotten_when_nothing_of_it_is_left() {
    let budget = budget(false, |_| {});
    let known = || lock(&budget.0.addresses).len();
    let busy_one = busy(&budget, address(1)).unwrap();
    let idle = budget.admit(address(2)).unwrap();
    assert_eq!(known(), 2);
    drop((busy_one, idle));
    assert_eq!(known(), 0);
    assert_eq!(lock(&budget.0.registry).open(), 0);
}

#[test]
fn a_flood_of_connections_sends_the_silent_ones_away_one_by_one() {
    let budget = budget(false, |options| options.max_connections = 1_000);
    let place = |from| budget.admit(address(from)).unwrap();
    let mut places: Vec<_> = (0..4).flat_map(|from| (0..250).map(move |_| from)).map(place).collect();
    for _ in 0..500 {
        let new = place(9);
        let gone = places.iter().position(|place| place.peer().cut.is_cancelled()).unwrap();
        places.remove(gone);
        assert!(!places.iter().any(|place| place.peer().cut.is_cancelled()));
        places.push(new);
    }
    assert_eq!(lock(&budget.0.registry).open(), 1_000);
}

#[test]
fn a_network_with_many_connections_makes_room_with_sessions_too_and_the_largest_first() {
    let budget = budget(false, |options| options.max_connections = 64);
    let many = |from, count| (0..count).map(|_| busy(&budget, address(from)).unwrap()).collect::<Vec<_>>();
    let (large, larger, small) = (many(1, 28), many(2, 32), many(3, 4));
    let leaving = |places: &[(Ticket, call::OpenCall)]| {
        places.iter().filter(|(place, _)| place.peer().leave.is_cancelled()).count()
    };

    // A network takes no place of one that has fewer, nor of itself.
    assert_eq!(busy(&budget, address(2)).err(), Some(Limit::Connections));
    let new: Vec<_> = (0..4).map(|_| busy(&budget, address(3)).unwrap()).collect();
    assert_eq!((leaving(&large), leaving(&larger), leaving(&small)), (0, 4, 0));
    drop((new, large, larger, small));
}

#[test]
fn networks_with_few_connections_keep_their_sessions() {
    let budget = budget(false, |options| options.max_connections = 64);
    let places: Vec<_> =
        (0..16).flat_map(|from| (0..4).map(move |_| from)).map(|from| busy(&budget, address(from))).collect();
    assert!(places.iter().all(Result::is_ok));
    assert_eq!(busy(&budget, address(99)).err(), Some(Limit::Connections));
}

/// A connection with one call.
fn calling(budget: &Budget, from: IpAddr) -> (Ticket, call::OpenCall) {
    let place = budget.admit(from).unwrap();
    let call = place.peer().open_call(&mut Request::get("/").body(()).unwrap());
    (place, call)
}

#[tokio::test]
async fn who_waits_for_a_full_address_goes_on_when_another_connection_has_taken_what_it_holds() {
    const PIECE: usize = 20 * 1024;
    let budget = budget(false, |options| options.max_buffered_bytes_per_address = 2 * PIECE);
    let (_place, waiting) = calling(&budget, address(1));
    let (_other_place, other) = calling(&budget, address(1));
    waiting.0.charge_piece(PIECE);
    other.0.charge_piece(2 * PIECE);

    let call = Arc::clone(&waiting.0);
    let waits = tokio::spawn(async move {
        let mut room = Room::default();
        poll_fn(|cx| room.poll(&call, cx, || call.may_make())).await;
    });
    tokio::task::yield_now().await;
    assert!(!waits.is_finished());
    other.0.release_piece(2 * PIECE);

    tokio::time::timeout(Duration::from_secs(10), waits).await.expect("nobody has woken it").unwrap();
    waiting.0.release_piece(PIECE);
}
