//! Functions of leptos for attributes that are spread onto a view of unknown type: one that copies an attribute for each type of attribute, and
//! one that lists the elements of a view for each type of view. Both stand behind pointers, so that the compiler keeps them.

use wasmparser::{FunctionBody, Operator};

/// A part of the names of the only functions that call them (tachys 0.2). A program that spreads no attributes has none of these.
const CALLER: &str = "16AnyViewWithAttrs";

/// The same where it is the parameter of a type.
const CALLER_AS_TYPE: &str = "..AnyViewWithAttrs";

/// Parts of the names of the functions, in both of Rust's manglings.
const PARTS: [&str; 4] = [
    "13into_any_attr5clone",
    "8any_view8elements",
    "..view..Mountable$GT$8elements",
    "4view9Mountable8elements",
];

/// Whether a function spreads attributes, by its mangled name.
pub(super) fn is_caller(name: &str) -> bool {
    name.contains(CALLER) || name.contains(CALLER_AS_TYPE)
}

/// Whether only a function that spreads attributes calls another one, by its mangled name.
pub(super) fn is_callee(name: &str) -> bool {
    PARTS.iter().any(|part| name.contains(part))
        && !name.contains("drop_in_place")
        && !name.contains("closure")
}

/// Whether a function calls any other one. The compiler may have put a small one that does not together with others of equal code.
pub(super) fn calls(body: &FunctionBody<'_>) -> bool {
    let operators = body.get_operators_reader().into_iter().flatten().map_while(Result::ok);
    operators
        .into_iter()
        .any(|operator| matches!(operator, Operator::Call { .. } | Operator::CallIndirect { .. }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_found_by_their_names() {
        for name in [
            "_ZN78_$LT$T$u20$as$u20$tachys..html..attribute..any_attribute..IntoAnyAttribute$GT$13into_any_attr5clone17hE",
            "_ZN6tachys4view8any_view8elements17h03e1291ed600b00eE",
            "_ZN65_$LT$tachys..view..any_view..AnyViewState$u20$as$u20$tachys..view..Mountable$GT$8elements17hE",
            "_RNvXs_NtNtCs1x_6tachys4view8any_viewNtB4_12AnyViewStateNtNtCs1x_6tachys4view9Mountable8elements",
        ] {
            assert!(is_callee(name) && !is_caller(name), "{name}");
        }
        for name in [
            "_ZN6tachys4html7element8elements104_$LT$impl$u20$tachys..html..element..HtmlElement$GT$4href17hE",
            "_ZN78_$LT$T$u20$as$u20$tachys..html..attribute..any_attribute..IntoAnyAttribute$GT$13into_any_attr5build17hE",
        ] {
            assert!(!is_callee(name), "{name}");
        }
        assert!(is_caller(
            "_ZN68_$LT$tachys..view..any_view..AnyViewWithAttrs$u20$as$u20$tachys..view..Render$GT$5build17hE"
        ));
    }
}
