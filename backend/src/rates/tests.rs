//! Scopes, delays and sentences of refusals.

use std::net::Ipv4Addr;

use super::*;

const HOME: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const OFFICE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));

/// A rate that allows `count` actions during a test.
fn only(count: u32) -> Rate {
    Rate::new(count, 1, Duration::from_secs(3_600))
}

fn scope(result: Result<(), RateExceeded>) -> Option<Scope> {
    result.err().map(|refusal| refusal.scope)
}

#[test]
fn defaults_allow_normal_use_of_an_office() {
    let rates = Rates::new(&RateLimits::default());
    for _ in 0..40 {
        rates.join(OFFICE).unwrap();
    }
    for user in 0..20 {
        for _ in 0..50 {
            rates.send(user, OFFICE).unwrap();
            rates.call(user).unwrap();
        }
        rates.create_room(user, OFFICE).unwrap();
    }
    for _ in 0..200 {
        rates.anonymous(OFFICE).unwrap();
    }
}

#[test]
fn user_network_and_total_limits_are_independent() {
    let limits =
        RateLimits { send_user: only(2), send_address: only(3), send_all: only(5), ..RateLimits::OFF };
    let rates = Rates::new(&limits);
    assert_eq!(scope(rates.send(1, HOME)), None);
    assert_eq!(scope(rates.send(1, HOME)), None);
    for _ in 0..100 {
        assert_eq!(scope(rates.send(1, HOME)), Some(Scope::User));
    }
    assert_eq!(scope(rates.send(2, HOME)), None, "the network has one left");
    for user in 3..100 {
        assert_eq!(scope(rates.send(user, HOME)), Some(Scope::Address));
    }
    assert_eq!(scope(rates.send(101, OFFICE)), None);
    assert_eq!(scope(rates.send(101, OFFICE)), None);
    assert_eq!(scope(rates.send(102, OFFICE)), Some(Scope::All));
}

#[test]
fn guessed_tokens_block_look_ups_of_their_network() {
    let rates = Rates::new(&RateLimits { anonymous_address: only(2), ..RateLimits::OFF });
    for _ in 0..100 {
        rates.check_look_up(HOME).unwrap();
    }
    rates.unknown_token(HOME).unwrap();
    rates.unknown_token(HOME).unwrap();
    rates.check_look_up(HOME).unwrap();
    assert_eq!(scope(rates.unknown_token(HOME)), Some(Scope::Address));
    assert_eq!(scope(rates.check_look_up(HOME)), Some(Scope::Address));
    rates.check_look_up(OFFICE).unwrap();
    rates.health(HOME).unwrap();
}

#[test]
fn blocked_network_may_look_up_tokens_again_after_its_delay() {
    let limits =
        RateLimits { anonymous_address: Rate::new(1, 200, Duration::from_secs(1)), ..RateLimits::OFF };
    let rates = Rates::new(&limits);
    while rates.unknown_token(HOME).is_ok() {}
    assert_eq!(rates.blocked.lock().len(), 1);
    while rates.check_look_up(HOME).is_err() {
        std::thread::yield_now();
    }
    rates.clean_up();
    assert!(rates.blocked.lock().is_empty());
}

#[test]
fn calls_without_session_do_not_block_look_ups() {
    let rates = Rates::new(&RateLimits { anonymous_address: only(1), ..RateLimits::OFF });
    rates.anonymous(HOME).unwrap();
    assert_eq!(scope(rates.anonymous(HOME)), Some(Scope::Address));
    rates.check_look_up(HOME).unwrap();
}

#[test]
fn number_of_blocked_networks_is_bounded() {
    let rates = Rates::new(&RateLimits { anonymous_address: only(1), ..RateLimits::OFF });
    for number in 0..MAX_KEYS as u32 + 1_000 {
        let network = IpAddr::V4(Ipv4Addr::from_bits(number));
        let _first = rates.unknown_token(network);
        let _second = rates.unknown_token(network);
    }
    assert!(rates.blocked.lock().len() <= MAX_KEYS);
}

#[test]
fn refusal_is_a_sentence_with_action_and_delay() {
    let says = |action, scope, millis| {
        RateExceeded { action, scope, after: Duration::from_millis(millis) }.to_string()
    };
    assert_eq!(
        says(Action::Send, Scope::User, 3_200),
        "You have sent many messages in a short time. Try again in 4 seconds."
    );
    assert_eq!(
        says(Action::Join, Scope::Address, 900),
        "Too many people have joined from your network in a short time. Try again in 1 second."
    );
    assert_eq!(
        says(Action::CreateRoom, Scope::User, 150_000),
        "You have made many rooms in a short time. Try again in 3 minutes."
    );
    assert_eq!(
        says(Action::Anonymous, Scope::Address, 7_200_000),
        "Too many requests came from your network without a valid session. Try again in 2 hours."
    );
}

#[test]
fn shared_limits_get_jitter_and_user_limits_do_not() {
    let fast = Rate::new(1, 100, Duration::from_secs(1));
    let rates = Rates::new(&RateLimits { send_user: fast, join_all: only(1), ..RateLimits::OFF });
    let wait = loop {
        if let Err(refusal) = rates.send(1, HOME) {
            break refusal.after;
        }
    };
    assert!(wait <= Duration::from_millis(10), "{wait:?}");

    rates.join(HOME).unwrap();
    let waits: Vec<_> = (0..100).map(|_| rates.join(HOME).unwrap_err().after).collect();
    let (first, last) = (waits.iter().min().unwrap(), waits.iter().max().unwrap());
    assert!(*first >= Duration::from_secs(3_500) && *last <= Duration::from_secs(7_200), "{waits:?}");
    assert!(*last - *first > Duration::from_secs(600), "{waits:?}");
    assert_eq!(add_jitter(Duration::from_millis(5)).as_secs(), 1, "not at once");
}
