//! Dates, times and numbers in the page's language, by the browser's `Intl`.
//!
//! On the host these functions panic, like all of `js_sys`.

use std::cell::RefCell;

use js_sys::{
    Array, Date, Function,
    Intl::{DateTimeFormat, NumberFormat},
    Object, Reflect,
};
use wasm_bindgen::JsValue;

use crate::i18n::Language;

/// Formats of a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// `14:05`.
    Time,
    /// `14:05:09`.
    TimeWithSeconds,
    /// `Tuesday, November 24`, without the year.
    Day,
    /// `Tuesday, November 24, 2026`.
    DayWithYear,
    /// Day, year and time.
    Full,
}

impl Moment {
    /// The longest time within which all moments have one text, counted from the epoch, in milliseconds. Time zones differ by whole minutes.
    fn unit_ms(self) -> i64 {
        match self {
            Moment::TimeWithSeconds => 1_000,
            Moment::Time | Moment::Day | Moment::DayWithYear | Moment::Full => 60_000,
        }
    }
}

/// The format of a moment, or that of numbers.
type Format = Option<Moment>;

/// The text of a moment, which is given in the units of [`Moment::unit_ms`].
type MomentText = ((Language, Moment, i64), String);

thread_local! {
    // Making a formatter takes about a hundred times as long as using one.
    static FORMATS: RefCell<Vec<((Language, Format), Function)>> = const { RefCell::new(Vec::new()) };
    // The last text of each format: many messages are of one minute, and three texts were a tenth of the time that a message takes.
    static LAST_TEXTS: RefCell<Vec<MomentText>> = const { RefCell::new(Vec::new()) };
}

/// A moment, given in milliseconds since 1970-01-01T00:00:00Z, in the reader's time zone.
pub(crate) fn moment(language: Language, moment: Moment, unix_ms: i64) -> String {
    let of = (language, moment, unix_ms.div_euclid(moment.unit_ms()));
    LAST_TEXTS.with_borrow_mut(|texts| {
        if let Some((_, text)) = texts.iter().find(|(known, _)| *known == of) {
            return text.clone();
        }
        // A double holds the milliseconds of all dates that are shown exactly.
        let date = Date::new(&JsValue::from_f64(unix_ms as f64));
        let text = call(&format(language, Some(moment)), date.as_ref());
        texts.retain(|((of_language, of_moment, _), _)| (*of_language, *of_moment) != (language, moment));
        texts.push((of, text.clone()));
        text
    })
}

/// An integer with separated thousands.
pub(crate) fn number(language: Language, value: u64) -> String {
    call(&format(language, None), &JsValue::from_f64(value as f64))
}

/// The time by the browser's clock, in milliseconds since 1970-01-01T00:00:00Z.
pub(crate) fn now_ms() -> i64 {
    Date::now() as i64
}

/// The browser's function for a format.
fn format(language: Language, format: Format) -> Function {
    FORMATS.with_borrow_mut(|formats| {
        let known = formats.iter().find(|(of, _)| *of == (language, format));
        if let Some((_, function)) = known {
            return function.clone();
        }
        let function = match format {
            Some(moment) => moment_format(language, moment),
            None => NumberFormat::new(&locales(language), &Object::new()).format(),
        };
        formats.push(((language, format), function.clone()));
        function
    })
}

fn moment_format(language: Language, moment: Moment) -> Function {
    let options: &[(&str, &str)] = match moment {
        Moment::Time => &[("hour", "2-digit"), ("minute", "2-digit")],
        Moment::TimeWithSeconds => &[("hour", "2-digit"), ("minute", "2-digit"), ("second", "2-digit")],
        Moment::Day => &[("weekday", "long"), ("month", "long"), ("day", "numeric")],
        Moment::DayWithYear => {
            &[("weekday", "long"), ("year", "numeric"), ("month", "long"), ("day", "numeric")]
        }
        Moment::Full => &[
            ("year", "numeric"),
            ("month", "long"),
            ("day", "numeric"),
            ("hour", "2-digit"),
            ("minute", "2-digit"),
        ],
    };
    let object = Object::new();
    for (key, value) in options.iter().chain(&[("hourCycle", "h23")]) {
        // Setting a property of a new object does not fail.
        Reflect::set(&object, &JsValue::from_str(key), &JsValue::from_str(value)).ok();
    }
    DateTimeFormat::new(&locales(language), &object).format()
}

fn locales(language: Language) -> Array {
    Array::of1(&JsValue::from_str(language.tag()))
}

fn call(format: &Function, value: &JsValue) -> String {
    format.call1(&JsValue::NULL, value).ok().and_then(|text| text.as_string()).unwrap_or_default()
}
