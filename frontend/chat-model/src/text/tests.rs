//! Tests of the Markdown subset.

use proptest::prelude::*;

use super::*;

fn text(text: &str) -> Inline {
    Inline::Text(text.to_owned())
}

fn link(address: &str) -> Inline {
    link_to(address, address)
}

fn link_to(shown: &str, address: &str) -> Inline {
    Inline::Link { text: vec![text(shown)], address: address.to_owned() }
}

fn code(language: &str, text: &str) -> Block {
    Block::Code { language: language.to_owned(), text: text.to_owned() }
}

fn plain(line: &str) -> Block {
    Block::Paragraph(vec![text(line)])
}

fn paragraph(message: &str) -> Vec<Inline> {
    match parse(message).as_slice() {
        [Block::Paragraph(inlines)] => inlines.clone(),
        other => panic!("not one paragraph: {other:?}"),
    }
}

#[test]
fn plain_text_is_one_paragraph_per_block() {
    assert_eq!(paragraph("hello, world"), [text("hello, world")]);
    assert_eq!(paragraph("two\nlines"), [text("two\nlines")]);
    assert_eq!(
        parse("one\n\n\ntwo"),
        [Block::Paragraph(vec![text("one")]), Block::Paragraph(vec![text("two")])]
    );
    assert_eq!(parse(" \n"), []);
}

#[test]
fn html_is_only_text() {
    for hostile in ["<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "&lt;b&gt;", "<a href='x'>"]
    {
        assert_eq!(paragraph(hostile), [text(hostile)]);
    }
}

#[test]
fn bold_italics_and_code_are_parsed() {
    assert_eq!(paragraph("a **b** c"), [text("a "), Inline::Bold(vec![text("b")]), text(" c")]);
    assert_eq!(
        paragraph("*b* _c_"),
        [Inline::Italic(vec![text("b")]), text(" "), Inline::Italic(vec![text("c")])]
    );
    assert_eq!(
        paragraph("run `a * b * c` now"),
        [text("run "), Inline::Code("a * b * c".to_owned()), text(" now")]
    );
    assert_eq!(
        paragraph("**a _b_ c**"),
        [Inline::Bold(vec![text("a "), Inline::Italic(vec![text("b")]), text(" c")])]
    );
    assert_eq!(paragraph("这是**重点**内容"), [text("这是"), Inline::Bold(vec![text("重点")]), text("内容")]);
}

#[test]
fn unmatched_marks_are_text() {
    for plain in [
        "2*3*4",
        "snake_case_name",
        "a * b * c",
        "**",
        "****",
        "`",
        "``",
        "~~",
        "~~open",
        "~one~",
        "[a](b)",
        "[a] (https",
        "a@b",
        "a ` b",
        "*open",
        "_",
        "**open _too",
        "2 ** 3 ** 4",
        "__init__.py",
    ] {
        assert_eq!(paragraph(plain), [text(plain)], "{plain}");
    }
}

#[test]
fn addresses_become_links() {
    assert_eq!(
        paragraph("see https://example.org/a?b=c#d."),
        [text("see "), link("https://example.org/a?b=c#d"), text(".")]
    );
    assert_eq!(
        paragraph("(http://example.org/a_(b))"),
        [text("("), link("http://example.org/a_(b)"), text(")")]
    );
    assert_eq!(
        paragraph("看https://example.org/中文，好"),
        [text("看"), link("https://example.org/中文"), text("，好")]
    );
    assert_eq!(paragraph("**https://example.org**"), [Inline::Bold(vec![link("https://example.org")])]);
    assert_eq!(
        paragraph("https://example.org/snake_case_*x*y"),
        [link("https://example.org/snake_case_*x*y")]
    );
    assert_eq!(
        paragraph("https://a.org and\nhttps://b.org now"),
        [link("https://a.org"), text(" and\n"), link("https://b.org"), text(" now")]
    );
    assert_eq!(paragraph("HTTPS://EXAMPLE.ORG"), [link("HTTPS://EXAMPLE.ORG")]);
}

#[test]
fn other_schemes_are_never_links() {
    for plain in [
        "javascript:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "xhttp://a.b",
        "http://",
        "https://.",
    ] {
        assert_eq!(paragraph(plain), [text(plain)], "{plain}");
    }
}

#[test]
fn named_links_lead_to_the_web_and_to_mail_only() {
    assert_eq!(
        paragraph("see [the *site*](https://example.org/a_(b)?c), please"),
        [
            text("see "),
            Inline::Link {
                text: vec![text("the "), Inline::Italic(vec![text("site")])],
                address: "https://example.org/a_(b)?c".to_owned()
            },
            text(", please")
        ]
    );
    assert_eq!(paragraph("[write](mailto:a@b.cc)"), [link_to("write", "mailto:a@b.cc")]);
    assert_eq!(paragraph("[https://a.b](https://a.b)"), [link("https://a.b")]);
    for hostile in [
        "[a](javascript:alert(1))",
        "[a](JAVASCRIPT:alert(1))",
        "[a](data:text/html,x)",
        "[a](vbscript:x)",
        "[a](file:///etc/passwd)",
        "[a]( javascript:alert)",
        "[a](//example.org)",
        "[a](/settings)",
        "[a](https://)",
        "[a](mailto:)",
    ] {
        assert_eq!(paragraph(hostile), [text(hostile)], "{hostile}");
    }
}

#[test]
fn a_named_link_does_not_pretend_to_lead_elsewhere() {
    assert_eq!(
        paragraph("[https://bank.example](https://evil.example)"),
        [text("["), link("https://bank.example"), text("]("), link("https://evil.example"), text(")")]
    );
}

#[test]
fn addresses_without_a_scheme_become_links() {
    assert_eq!(
        paragraph("www.example.org/a, and ada@example.org."),
        [
            link_to("www.example.org/a", "https://www.example.org/a"),
            text(", and "),
            link_to("ada@example.org", "mailto:ada@example.org"),
            text(".")
        ]
    );
    assert_eq!(paragraph("WWW.example.org"), [link_to("WWW.example.org", "https://WWW.example.org")]);
    for plain in ["www.", "www.a", "xwww.a.b", "@ada", "a@b.c1", "a@.org", "a b@", "a@b..cc"] {
        assert_eq!(paragraph(plain), [text(plain)], "{plain}");
    }
}

#[test]
fn strikethrough_and_escapes_are_parsed() {
    assert_eq!(paragraph("~~old~~ new"), [Inline::Strike(vec![text("old")]), text(" new")]);
    assert_eq!(paragraph(r"\*not bold\* \`code\` \[a\](b)"), [text("*not bold* `code` [a](b)")]);
    assert_eq!(paragraph(r"C:\dir \\ ¯\_(ツ)_/¯ \"), [text(r"C:\dir \ ¯_(ツ)_/¯ \")]);
}

#[test]
fn longer_backticks_hold_shorter_ones() {
    assert_eq!(paragraph("``a ` b``"), [Inline::Code("a ` b".to_owned())]);
    assert_eq!(paragraph("`` `a` ``"), [Inline::Code("`a`".to_owned())]);
    assert_eq!(paragraph("say ```a``` here"), [text("say "), Inline::Code("a".to_owned()), text(" here")]);
}

#[test]
fn quotes_and_code_blocks_stand_by_themselves() {
    assert_eq!(
        parse("> a\n> **b**\nc"),
        [Block::Quote(vec![Block::Paragraph(vec![text("a\n"), Inline::Bold(vec![text("b")])])]), plain("c")]
    );
    assert_eq!(
        parse("before\n```rust\nlet a = *b;\n\n> c\n```\nafter"),
        [plain("before"), code("rust", "let a = *b;\n\n> c"), plain("after")]
    );
    assert_eq!(parse("```\n```"), [code("", "")]);
    assert_eq!(parse("> ```\n> a\n> ```"), [Block::Quote(vec![code("", "a")])]);
}

#[test]
fn a_fence_may_stand_anywhere_and_may_be_missing() {
    assert_eq!(parse("```\ncode"), [code("", "code")]);
    assert_eq!(parse("```rust\nlet a;\n"), [code("rust", "let a;\n")]);
    assert_eq!(parse("  ```\n  a\n    b\n  ```"), [code("", "a\n  b")]);
    assert_eq!(parse("look: ```sh\nls\n```\nso"), [plain("look: "), code("sh", "ls"), plain("so")]);
    assert_eq!(parse("```ls -l```"), [code("", "ls -l")]);
    assert_eq!(parse("```let a = 1;\nlet b;```"), [code("", "let a = 1;\nlet b;")]);
    assert_eq!(parse("```\na``` b"), [code("", "a"), plain(" b")]);
    assert_eq!(parse("````\n```\n````"), [code("", "```")]);
    assert_eq!(parse("a\n```"), [Block::Paragraph(vec![text("a\n```")])]);
    assert_eq!(parse("use ``` to fence"), [plain("use ``` to fence")]);
}

#[test]
fn lists_have_bullets_or_numbers() {
    let items = |items: &[&str]| items.iter().map(|item| vec![plain(item)]).collect::<Vec<_>>();
    for message in ["- a\n- b", "* a\n* b", "• a\n• b", "- a\n\n- b"] {
        assert_eq!(parse(message), [Block::List { start: None, items: items(&["a", "b"]) }], "{message:?}");
    }
    assert_eq!(
        parse("todo:\n2. a"),
        [plain("todo:\n2. a")],
        "a line in a paragraph may just begin with a number"
    );
    assert_eq!(
        parse("todo:\n1. a\n2) b\nend"),
        [plain("todo:"), Block::List { start: Some(1), items: items(&["a", "b"]) }, plain("end")]
    );
    assert_eq!(parse("7. a"), [Block::List { start: Some(7), items: items(&["a"]) }]);
    for message in ["2026. A year", "-a", "1.a", "*a* b", "-", "- "] {
        assert!(matches!(parse(message)[..], [Block::Paragraph(_)]), "{message:?}");
    }
}

#[test]
fn items_hold_lines_lists_and_code() {
    let inner = Block::List { start: Some(1), items: vec![vec![plain("b\nc")]] };
    assert_eq!(
        parse("- a\n  1. b\n     c\n- d\n  ```\n  e\n  ```"),
        [Block::List { start: None, items: vec![vec![plain("a"), inner], vec![plain("d"), code("", "e")]] }]
    );
}

#[test]
fn nesting_has_a_limit() {
    fn depth(blocks: &[Block]) -> usize {
        let inner = |block: &Block| match block {
            Block::Quote(blocks) => 1 + depth(blocks),
            Block::List { items, .. } => 1 + items.iter().map(|item| depth(item)).max().unwrap_or(0),
            _ => 0,
        };
        blocks.iter().map(inner).max().unwrap_or(0)
    }
    for mark in ["> ", "- ", "1. ", "> - "] {
        assert_eq!(depth(&parse(&[mark.repeat(1_000).as_str(), "a"].concat())), 4, "{mark}");
    }
}

/// All letters of the tree. Addresses and languages may stand in the text twice or not at all.
fn letters(blocks: &[Block]) -> String {
    fn inline(inlines: &[Inline], into: &mut String) {
        for one in inlines {
            match one {
                Inline::Text(text) | Inline::Code(text) => into.push_str(text),
                Inline::Link { text, address } => {
                    inline(text, into);
                    let mut shown = String::new();
                    inline(text, &mut shown);
                    // An address that is not shown is that of a named link.
                    if !["", "https://", "mailto:"]
                        .iter()
                        .any(|scheme| *address == [scheme, shown.as_str()].concat())
                    {
                        into.push_str(address);
                    }
                }
                Inline::Bold(children) | Inline::Italic(children) | Inline::Strike(children) => {
                    inline(children, into);
                }
            }
        }
    }
    let mut into = String::new();
    for block in blocks {
        match block {
            Block::Paragraph(inlines) => inline(inlines, &mut into),
            Block::Quote(blocks) => into.push_str(&letters(blocks)),
            Block::List { items, .. } => items.iter().for_each(|item| into.push_str(&letters(item))),
            Block::Code { language, text } => {
                into.push_str(language);
                into.push_str(text);
            }
        }
    }
    only_letters(&into)
}

fn only_letters(text: &str) -> String {
    text.chars().filter(|letter| letter.is_alphabetic()).collect()
}

fn depth(inlines: &[Inline]) -> usize {
    inlines
        .iter()
        .map(|inline| match inline {
            Inline::Bold(children) | Inline::Italic(children) | Inline::Strike(children) => {
                1 + depth(children)
            }
            Inline::Link { text, .. } => 1 + depth(text),
            _ => 0,
        })
        .max()
        .unwrap_or(0)
}

fn check_inlines(blocks: &[Block]) {
    for block in blocks {
        match block {
            Block::Paragraph(inlines) => assert!(depth(inlines) <= 9 && !inlines.is_empty(), "{inlines:?}"),
            Block::Quote(blocks) => check_inlines(blocks),
            Block::List { items, .. } => items.iter().for_each(|item| check_inlines(item)),
            Block::Code { .. } => {}
        }
    }
}

fn check(message: &str) {
    let blocks = parse(message);
    assert_eq!(letters(&blocks), only_letters(message));
    check_inlines(&blocks);
}

proptest! {
    #[test]
    fn text_is_kept(message in "\\PC{0,200}") {
        check(&message);
    }

    #[test]
    fn text_among_many_marks_is_kept(message in "(\\*|\\*\\*|_|`|```|>|\n|a| |b|http://|https://x\\.y|\\(|\\)|\\.|中|，){0,80}") {
        check(&message);
    }
}

#[test]
fn parsing_is_linear_for_repeated_marks() {
    // Quadratic parsing of this length would take minutes.
    let length = 300_000;
    for piece in [
        "*",
        "**a",
        "_a",
        "`a",
        "*a _b **c ",
        "https://a",
        "http://((((",
        "> ",
        "```\n",
        "`` ",
        ")",
        "h",
        "[a](",
        "[",
        "](",
        "[a](https://b.c",
        "a@",
        "a.",
        "www.",
        "- ",
        "- a\n",
        "1. ",
        "````x\n```\n",
        "x```\n",
        "\\",
    ] {
        let message: String = piece.chars().cycle().take(length).collect();
        let start = std::time::Instant::now();
        check(&message);
        assert!(start.elapsed().as_secs() < 20, "{piece:?} took {:?}", start.elapsed());
    }
}
