//! Tests of the style sheets: contrast of colours, and class names that exist.

use std::{collections::BTreeSet, fs, path::Path};

const TOKENS: &str = include_str!("../style/tokens.css");

/// Red, green, blue, 0 to 255.
type Colour = [f64; 3];

/// The two colours of a token, light and dark.
fn token(name: &str) -> [Colour; 2] {
    let start = ["--", name, ": light-dark("].concat();
    let (_, rest) = TOKENS.split_once(&start).unwrap_or_else(|| panic!("no token --{name}"));
    let (pair, _) = rest.split_once(')').unwrap();
    let (light, dark) = pair.split_once(", ").unwrap();
    [colour(light), colour(dark)]
}

fn colour(hex: &str) -> Colour {
    let hex = hex.strip_prefix('#').unwrap();
    assert_eq!(hex.len(), 6, "{hex}");
    [0, 2, 4].map(|at| f64::from(u8::from_str_radix(&hex[at..at + 2], 16).unwrap()))
}

/// Relative luminance by WCAG 2.2.
fn luminance(colour: Colour) -> f64 {
    let [red, green, blue] = colour.map(|channel| {
        let channel = channel / 255.0;
        if channel <= 0.04045 { channel / 12.92 } else { ((channel + 0.055) / 1.055).powf(2.4) }
    });
    0.2126 * red + 0.7152 * green + 0.0722 * blue
}

fn contrast(one: Colour, other: Colour) -> f64 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

fn assert_contrast(fronts: &[&str], backs: &[&str], at_least: f64) {
    for front in fronts {
        for back in backs {
            for (theme, (one, other)) in token(front).into_iter().zip(token(back)).enumerate() {
                let found = contrast(one, other);
                let theme = ["light", "dark"][theme];
                assert!(found >= at_least, "--{front} on --{back}, {theme}: {found:.2} < {at_least}");
            }
        }
    }
}

const SURFACES: [&str; 6] =
    ["surface", "surface-side", "surface-raised", "surface-hover", "surface-selected", "surface-danger"];

#[test]
fn contrast_follows_wcag() {
    assert!((contrast([0.0; 3], [255.0; 3]) - 21.0).abs() < 0.001);
    assert!((contrast(colour("#777777"), [255.0; 3]) - 4.48).abs() < 0.01);
}

#[test]
fn messages_have_a_contrast_of_seven() {
    assert_contrast(&["text", "text-accent"], &SURFACES, 7.0);
}

#[test]
fn initials_have_a_contrast_of_four_and_a_half() {
    for colour in 0..chat_model::face::COLOURS {
        assert_contrast(&[&format!("face-text-{colour}")], &[&format!("face-{colour}")], 4.5);
    }
}

#[test]
fn other_text_has_a_contrast_of_four_and_a_half() {
    assert_contrast(&["text-quiet", "text-danger"], &SURFACES, 4.5);
    assert_contrast(&["text-on-accent"], &["accent", "accent-hover"], 4.5);
}

#[test]
fn edges_of_controls_and_focus_have_a_contrast_of_three() {
    assert_contrast(&["edge", "accent", "danger", "focus"], &SURFACES, 3.0);
}

/// The class names that a source uses, in `class="a b"` and in `class:a=`.
fn used_classes(source: &str) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    for part in source.split("class=\"").skip(1) {
        let (names, _) = part.split_once('"').unwrap();
        used.extend(names.split_whitespace().map(str::to_owned));
    }
    for part in source.split("class:").skip(1) {
        let end = part.find(|letter: char| !letter.is_ascii_alphanumeric() && !"-_".contains(letter));
        let (name, rest) = part.split_at(end.unwrap_or(part.len()));
        if rest.starts_with('=') {
            used.insert(name.to_owned());
        }
    }
    used
}

fn files(directory: &Path, extension: &str, found: &mut Vec<String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, extension, found);
        } else if path.extension().is_some_and(|found| found == extension)
            && !path.ends_with("style_tests.rs")
        {
            found.push(fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn every_class_in_the_sources_has_a_rule() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut styles = Vec::new();
    files(&root.join("style"), "css", &mut styles);
    let styles = styles.concat();
    let mut sources = Vec::new();
    files(&root.join("src"), "rs", &mut sources);
    let has_rule = |class: &String| {
        let selector = [".", class].concat();
        styles.match_indices(&selector).any(|(at, _)| {
            let after = styles[at + selector.len()..].chars().next();
            !after.is_some_and(|letter| letter.is_ascii_alphanumeric() || "-_".contains(letter))
        })
    };
    let used: BTreeSet<String> = sources.iter().flat_map(|source| used_classes(source)).collect();
    let missing: Vec<&String> = used.iter().filter(|class| !has_rule(class)).collect();
    assert!(used.len() > 20, "no class names were found");
    assert!(missing.is_empty(), "no style sheet has {missing:?}");
}

#[test]
fn used_classes_are_found_in_both_forms() {
    let source = r#"<p class="a b--c" class:d__e=move || true> match x { pub(crate) class: y }"#;
    assert_eq!(used_classes(source).into_iter().collect::<Vec<_>>(), ["a", "b--c", "d__e"]);
}
