//! Tests of the Markdown subset.

use proptest::prelude::*;

use super::*;

fn text(text: &str) -> Inline {
    Inline::Text(text.to_owned())
}

fn link(address: &str) -> Inline {
    Inline::Link(address.to_owned())
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
        "* item",
        "`",
        "``",
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
fn quotes_and_code_blocks_stand_by_themselves() {
    assert_eq!(
        parse("> a\n> **b**\nc"),
        [Block::Quote(vec![text("a\n"), Inline::Bold(vec![text("b")])]), Block::Paragraph(vec![text("c")])]
    );
    assert_eq!(
        parse("before\n```rust\nlet a = *b;\n\n> c\n```\nafter"),
        [
            Block::Paragraph(vec![text("before")]),
            Block::Code { language: "rust".to_owned(), text: "let a = *b;\n\n> c".to_owned() },
            Block::Paragraph(vec![text("after")])
        ]
    );
    assert_eq!(parse("```\n```"), [Block::Code { language: String::new(), text: String::new() }]);
}

#[test]
fn an_unclosed_code_block_is_text() {
    assert_eq!(parse("```\ncode"), [Block::Paragraph(vec![text("```\ncode")])]);
}

/// All text without marks.
fn words(blocks: &[Block]) -> String {
    fn inline(inlines: &[Inline], into: &mut String) {
        for one in inlines {
            match one {
                Inline::Text(text) | Inline::Code(text) | Inline::Link(text) => into.push_str(text),
                Inline::Bold(children) | Inline::Italic(children) => inline(children, into),
            }
        }
    }
    let mut into = String::new();
    for block in blocks {
        match block {
            Block::Paragraph(inlines) | Block::Quote(inlines) => inline(inlines, &mut into),
            Block::Code { language, text } => {
                into.push_str(language);
                into.push_str(text);
            }
        }
    }
    without_marks(&into)
}

fn without_marks(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_whitespace() && !"*_`>".contains(*letter)).collect()
}

fn depth(inlines: &[Inline]) -> usize {
    inlines
        .iter()
        .map(|inline| match inline {
            Inline::Bold(children) | Inline::Italic(children) => 1 + depth(children),
            _ => 0,
        })
        .max()
        .unwrap_or(0)
}

fn check(message: &str) {
    let blocks = parse(message);
    assert_eq!(words(&blocks), without_marks(message));
    for block in &blocks {
        if let Block::Paragraph(inlines) | Block::Quote(inlines) = block {
            assert!(depth(inlines) <= 3);
            assert!(!inlines.is_empty() || matches!(block, Block::Quote(_)));
        }
    }
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
    for piece in
        ["*", "**a", "_a", "`a", "*a _b **c ", "https://a", "http://((((", "> ", "```\n", "`` ", ")", "h"]
    {
        let message: String = piece.chars().cycle().take(length).collect();
        let start = std::time::Instant::now();
        check(&message);
        assert!(start.elapsed().as_secs() < 20, "{piece:?} took {:?}", start.elapsed());
    }
}
