//! Limits and evictions, without sockets.

use std::future::poll_fn;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::Request;

use super::state::lock;
use super::*;
use crate::client_address::ClientAddress;
use crate::observer::{Limit, LimitOutcome, Observer};
use crate::options::ServeOptions;

fn budget(is_proxy: bool, change: impl FnOnce(&mut ServeOptions)) -> Budget {
    let mut options = ServeOptions::default();
    change(&mut options);
    Budget::new(&options, Box::new(move |_| is_proxy))
}

fn address(last: u8) -> IpAddr {
    IpAddr::from([192, 0, 2, last])
}

/// A connection with a call that carries a session.
fn busy(budget: &Budget, from: IpAddr) -> Option<(ConnectionPermit, OpenCall)> {
    let permit = budget.admit(from)?;
    let mut request = Request::get("/").header("cookie", "a=b").body(()).unwrap();
    let call = permit.peer().open_call(&mut request);
    Some((permit, call))
}

#[test]
fn only_a_port_without_an_idle_connection_is_full() {
    let budget = budget(false, |options| options.max_connections = 16);
    let idle = budget.admit(address(1)).unwrap();
    let mut others: Vec<_> = (2..=16).map(|last| busy(&budget, address(last)).unwrap()).collect();
    assert_eq!(budget.0.reached_limit(), None, "the idle one makes room");
    others.push(busy(&budget, address(17)).unwrap());
    assert_eq!(budget.0.reached_limit(), Some("the limit of open connections is reached"));
    let (permit, call) = others.remove(0);
    drop(call);
    assert_eq!(budget.0.reached_limit(), None, "another one is idle now");
    drop((idle, permit));
}

#[test]
fn networks_of_ipv6_count_as_one_address() {
    let budget = budget(false, |options| options.max_connections_per_address = 1);
    let from = |text: &str| busy(&budget, text.parse().unwrap());
    let one = from("2001:db8::1").unwrap();
    assert!(from("2001:db8::2").is_none());
    let other = from("2001:db8:0:1::1").unwrap();
    drop(one);
    assert!(from("2001:db8::2").is_some());
    drop(other);
}

#[test]
fn a_site_of_ipv6_networks_has_four_times_the_limits_of_an_address() {
    let budget = budget(false, |options| {
        options.max_connections_per_address = 1;
        options.max_calls_per_address = 2;
    });
    let from = |text: &str| busy(&budget, text.parse().unwrap());
    let four = [1, 2, 3, 4].map(|network| from(&format!("2001:db8:7:{network}::1")).unwrap());
    assert!(from("2001:db8:7:5::1").is_none());
    let other_site = from("2001:db8:8:1::1").unwrap();

    let call = |client: &str| {
        let mut request = Request::get("/").header("cookie", "a=b").body(()).unwrap();
        request.extensions_mut().insert(ClientAddress(client.parse().unwrap()));
        let call = other_site.0.peer().open_call(&mut request);
        let refused = call.account().is_refused();
        (call, refused)
    };
    // Each network has one call open already.
    let more = [1, 2, 3, 4].map(|network| call(&format!("2001:db8:7:{network}::1")));
    assert!(more.iter().all(|(_, refused)| !refused));
    assert!(call("2001:db8:7:6::1").1);
    drop(more);
    assert!(!call("2001:db8:7:6::1").1);
    drop(four);
    drop(other_site);
    assert_eq!(lock(&budget.0.addresses).len(), 0);
}

#[test]
fn a_proxy_has_no_limit_of_connections_and_its_clients_are_counted_by_their_addresses() {
    let budget = budget(true, |options| {
        options.max_connections_per_address = 1;
        options.max_calls_per_address = 4;
    });
    let permits: Vec<_> = (0..100).map(|_| budget.admit(address(1)).unwrap()).collect();
    let call = |client| {
        let mut request = Request::get("/").body(()).unwrap();
        request.extensions_mut().insert(ClientAddress(client));
        let call = permits[0].peer().open_call(&mut request);
        let refused = call.account().is_refused();
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
fn an_address_is_forgotten_when_its_last_connection_and_call_end() {
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
fn a_flood_of_connections_evicts_silent_ones_one_by_one() {
    let budget = budget(false, |options| options.max_connections = 1_000);
    let permit = |from| budget.admit(address(from)).unwrap();
    let mut permits: Vec<_> = (0..4).flat_map(|from| (0..250).map(move |_| from)).map(permit).collect();
    for _ in 0..500 {
        let new = permit(9);
        let evicted = permits.iter().position(|permit| permit.peer().abort.is_cancelled()).unwrap();
        permits.remove(evicted);
        assert!(!permits.iter().any(|permit| permit.peer().abort.is_cancelled()));
        permits.push(new);
    }
    assert_eq!(lock(&budget.0.registry).open(), 1_000);
}

#[test]
fn the_largest_network_loses_connections_with_sessions_first() {
    let budget = budget(false, |options| options.max_connections = 64);
    let many = |from, count| (0..count).map(|_| busy(&budget, address(from)).unwrap()).collect::<Vec<_>>();
    let (large, larger, small) = (many(1, 28), many(2, 32), many(3, 4));
    let evicted = |connections: &[(ConnectionPermit, OpenCall)]| {
        connections.iter().filter(|(permit, _)| permit.peer().close.is_cancelled()).count()
    };

    // A network takes no place of a smaller one, nor of itself.
    assert!(busy(&budget, address(2)).is_none());
    let new: Vec<_> = (0..4).map(|_| busy(&budget, address(3)).unwrap()).collect();
    assert_eq!((evicted(&large), evicted(&larger), evicted(&small)), (0, 4, 0));
    drop((new, large, larger, small));
}

#[test]
fn an_ipv6_site_loses_connections_with_sessions_like_one_network() {
    let budget = budget(false, |options| options.max_connections = 64);
    let networks = (0..28).map(|network| format!("2001:db8:7:{network}::1").parse().unwrap());
    let site: Vec<_> = networks.map(|from| busy(&budget, from).unwrap()).collect();
    let others: Vec<_> = (0..36).map(|from| busy(&budget, address(from)).unwrap()).collect();

    let new = busy(&budget, address(99));

    assert!(new.is_some());
    let is_evicted = |(permit, _): &&(ConnectionPermit, OpenCall)| permit.peer().close.is_cancelled();
    assert_eq!((site.iter().filter(is_evicted).count(), others.iter().filter(is_evicted).count()), (1, 0));
}

#[test]
fn networks_with_few_connections_keep_their_sessions() {
    let budget = budget(false, |options| options.max_connections = 64);
    let connections: Vec<_> =
        (0..16).flat_map(|from| (0..4).map(move |_| from)).map(|from| busy(&budget, address(from))).collect();
    assert!(connections.iter().all(Option::is_some));
    assert!(busy(&budget, address(99)).is_none());
}

/// A connection with one call.
fn calling(budget: &Budget, from: IpAddr) -> (ConnectionPermit, OpenCall) {
    let permit = budget.admit(from).unwrap();
    let call = permit.peer().open_call(&mut Request::get("/").body(()).unwrap());
    (permit, call)
}

/// Remembers the limits that were reached.
#[derive(Debug, Default)]
struct Reached(std::sync::Mutex<Vec<(Limit, LimitOutcome)>>);

impl Observer for Reached {
    fn limit_reached(&self, limit: Limit, outcome: LimitOutcome) {
        lock(&self.0).push((limit, outcome));
    }
}

#[test]
fn an_observer_is_told_of_refused_and_closed_connections() {
    let reached = Arc::new(Reached::default());
    let budget = budget(false, |options| {
        options.max_connections_per_address = 1;
        options.observer = Some(reached.clone());
    });
    let busy = busy(&budget, address(1)).unwrap();
    assert!(budget.admit(address(1)).is_none());
    let _idle = budget.admit(address(2)).unwrap();
    let _new = budget.admit(address(2)).unwrap();

    let limit = Limit::ConnectionsPerAddress;
    let told = [(limit, LimitOutcome::Refused), (limit, LimitOutcome::ClosedIdle)];
    assert_eq!(*lock(&reached.0), told);
    drop(busy);
}

#[tokio::test(start_paused = true)]
async fn the_connection_that_was_idle_longest_is_evicted_first() {
    let budget = budget(false, |options| options.max_connections = 2);
    let second = Duration::from_secs(1);
    let (one, call) = calling(&budget, address(1));
    drop(call);
    tokio::time::advance(second).await;
    let (other, call) = calling(&budget, address(1));
    drop(call);
    tokio::time::advance(second).await;
    drop(one.peer().open_call(&mut Request::get("/").body(()).unwrap()));

    let _new = budget.admit(address(1)).unwrap();

    let is_evicted =
        |permit: &ConnectionPermit| permit.peer().close.is_cancelled() || permit.peer().abort.is_cancelled();
    assert_eq!((is_evicted(&one), is_evicted(&other)), (false, true));
}

#[tokio::test]
async fn a_response_blocked_by_its_address_goes_on_when_another_connection_releases_bytes() {
    const CHUNK: usize = 20 * 1024;
    let budget = budget(false, |options| options.max_buffered_bytes_per_address = 2 * CHUNK);
    let (_permit, waiting) = calling(&budget, address(1));
    let (_other_permit, other) = calling(&budget, address(1));
    waiting.account().charge_response(CHUNK);
    other.account().charge_response(2 * CHUNK);

    let call = Arc::clone(waiting.account());
    let wait = tokio::spawn(async move {
        let mut room = RoomWait::default();
        poll_fn(|cx| room.poll_response(&call, cx)).await;
    });
    tokio::task::yield_now().await;
    assert!(!wait.is_finished());
    other.account().release_response(2 * CHUNK);

    tokio::time::timeout(Duration::from_secs(10), wait).await.expect("nothing has woken it").unwrap();
    waiting.account().release_response(CHUNK);
}

#[tokio::test]
async fn requests_that_wait_for_reservations_do_not_block_each_other() {
    const LIMIT: usize = 100;
    let budget = budget(false, |options| options.max_buffered_bytes_per_connection = LIMIT);
    let permit = budget.admit(address(1)).unwrap();
    let open = || permit.peer().open_call(&mut Request::get("/").body(()).unwrap());
    let (one, other, third) = (open(), open(), open());
    let charge = |call: &OpenCall| RequestCharge::new(Arc::clone(call.account()), Some(LIMIT));
    let (mut first, mut second, mut refused) = (charge(&one), charge(&other), charge(&third));
    first.set(60).unwrap();
    second.set(60).unwrap();
    assert_eq!(refused.set(60).unwrap_err().code(), tonic::Code::ResourceExhausted);
    drop(refused);

    // Their requests exceed the limit together, and the first can go on all the same.
    let poll = |charge: &mut RequestCharge| {
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        charge.poll_reserve(&mut cx).is_ready()
    };
    assert!(poll(&mut first) && !poll(&mut second));
    drop((first, one));
    assert!(poll(&mut second));
    drop((second, other, third));
    assert_eq!(permit.peer().in_memory(), 0);
}
