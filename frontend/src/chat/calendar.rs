//! Days in the reader's time zone, and their names.

use js_sys::Date;
use wasm_bindgen::JsValue;

use crate::{
    i18n::{Language, Messages},
    intl::{self, Moment},
};

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
const MINUTE_MS: i64 = 60 * 1_000;

/// The number of a moment's day in the reader's time zone.
pub(crate) fn day_of(at_ms: i64) -> i64 {
    // A double holds the milliseconds of all dates that are shown exactly.
    let offset = Date::new(&JsValue::from_f64(at_ms as f64)).get_timezone_offset() as i64;
    (at_ms - offset * MINUTE_MS).div_euclid(DAY_MS)
}

/// "Today", "Yesterday", or the date.
pub(crate) fn day_name(m: &Messages, language: Language, at_ms: i64, today: i64) -> String {
    match today - day_of(at_ms) {
        0 => m.today.to_owned(),
        1 => m.yesterday.to_owned(),
        // Recent days are clear without their year.
        2..=300 => intl::moment(language, Moment::Day, at_ms),
        _ => intl::moment(language, Moment::DayWithYear, at_ms),
    }
}
