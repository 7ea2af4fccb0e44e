//! Who is refused what, and what they are told.

use std::net::Ipv4Addr;

use super::*;

const HOME: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const OFFICE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));

/// So many, and no more before the test has ended.
fn only(count: u32) -> Rate {
    Rate::new(count, 1, Duration::from_secs(3_600))
}

fn scope(result: Result<(), TooOften>) -> Option<Scope> {
    result.err().map(|refusal| refusal.scope)
}

#[test]
fn a_person_may_do_at_once_what_people_do() {
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
fn a_user_a_network_and_all_are_limited_each_and_a_refused_user_counts_for_nobody_else() {
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
fn a_network_that_guesses_tokens_is_refused_before_the_next_one_is_looked_up() {
    let rates = Rates::new(&RateLimits { anonymous_address: only(2), ..RateLimits::OFF });
    for _ in 0..100 {
        rates.look_up(HOME).unwrap();
    }
    rates.unknown_token(HOME).unwrap();
    rates.unknown_token(HOME).unwrap();
    rates.look_up(HOME).unwrap();
    assert_eq!(scope(rates.unknown_token(HOME)), Some(Scope::Address));
    assert_eq!(scope(rates.look_up(HOME)), Some(Scope::Address));
    rates.look_up(OFFICE).unwrap();
    rates.health(HOME).unwrap();
}

#[test]
fn a_blocked_network_may_look_up_a_session_again_after_its_time() {
    let limits =
        RateLimits { anonymous_address: Rate::new(1, 200, Duration::from_secs(1)), ..RateLimits::OFF };
    let rates = Rates::new(&limits);
    while rates.unknown_token(HOME).is_ok() {}
    assert_eq!(rates.blocked().len(), 1);
    while rates.look_up(HOME).is_err() {
        std::thread::yield_now();
    }
    rates.clean_up();
    assert!(rates.blocked().is_empty());
}

#[test]
fn calls_that_need_no_session_keep_nobody_from_looking_one_up() {
    let rates = Rates::new(&RateLimits { anonymous_address: only(1), ..RateLimits::OFF });
    rates.anonymous(HOME).unwrap();
    assert_eq!(scope(rates.anonymous(HOME)), Some(Scope::Address));
    rates.look_up(HOME).unwrap();
}

#[test]
fn the_number_of_blocked_networks_is_bounded() {
    let rates = Rates::new(&RateLimits { anonymous_address: only(1), ..RateLimits::OFF });
    for number in 0..MAX_KEYS as u32 + 1_000 {
        let network = IpAddr::V4(Ipv4Addr::from_bits(number));
        let _first = rates.unknown_token(network);
        let _second = rates.unknown_token(network);
    }
    assert!(rates.blocked().len() <= MAX_KEYS);
}

#[test]
fn a_refusal_is_a_sentence_that_says_what_and_when() {
    let says =
        |action, scope, millis| TooOften { action, scope, after: Duration::from_millis(millis) }.to_string();
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
fn those_who_share_a_limit_come_back_at_different_times_and_one_user_as_soon_as_they_may() {
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
    assert_eq!(spread(Duration::from_millis(5)).as_secs(), 1, "not at once");
}
