//! Rust source as a list of words and marks: no comments, no texts, and no code that only tests see.

/// A word, or a mark of one character; and its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub(super) text: &'a str,
    pub(super) line: usize,
}

/// The tokens of a file, without items that are for tests alone.
pub(super) fn tokens(source: &str) -> Vec<Token<'_>> {
    without_tests(&all(source))
}

fn all(source: &str) -> Vec<Token<'_>> {
    let (mut tokens, mut at, mut line) = (Vec::new(), 0, 1);
    while let Some(first) = source[at..].chars().next() {
        let rest = &source[at..];
        let (length, kept) = if rest.starts_with("//") {
            (rest.find('\n').unwrap_or(rest.len()), false)
        } else if rest.starts_with("/*") {
            (rest.find("*/").map_or(rest.len(), |end| end + 2), false)
        } else if let Some(length) = raw_text(rest) {
            (length, false)
        } else if first == '"' {
            (text(rest), false)
        } else if first == '\'' {
            (character(rest), false)
        } else if first.is_alphanumeric() || first == '_' {
            (rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len()), true)
        } else {
            (first.len_utf8(), !first.is_whitespace())
        };
        if kept {
            tokens.push(Token { text: &rest[..length], line });
        }
        line += rest[..length].matches('\n').count();
        at += length;
    }
    tokens
}

/// The length of `r"…"`, `r#"…"#` and the like at the start.
fn raw_text(rest: &str) -> Option<usize> {
    let behind = rest.strip_prefix("br").or_else(|| rest.strip_prefix('r'))?;
    let marks = behind.len() - behind.trim_start_matches('#').len();
    behind[marks..].strip_prefix('"')?;
    let start = rest.len() - behind.len() + marks + 1;
    let end = format!("\"{}", "#".repeat(marks));
    Some(rest[start..].find(&end).map_or(rest.len(), |at| start + at + end.len()))
}

/// The length of a text in quotes at the start.
fn text(rest: &str) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// The length of a character in quotes at the start, or of the mark of a lifetime.
fn character(rest: &str) -> usize {
    let mut behind = rest.char_indices().skip(1);
    match behind.next() {
        Some((_, '\\')) => rest[3..].find('\'').map_or(1, |at| at + 4),
        Some(_) => behind.next().filter(|(_, c)| *c == '\'').map_or(1, |(at, _)| at + 1),
        None => 1,
    }
}

fn without_tests<'a>(tokens: &[Token<'a>]) -> Vec<Token<'a>> {
    const MARK: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let (mut kept, mut at) = (Vec::new(), 0);
    while at < tokens.len() {
        let here = &tokens[at..];
        if here.len() > MARK.len() && here.iter().zip(MARK).all(|(token, mark)| token.text == mark) {
            at += MARK.len();
            at += item(&tokens[at..]);
        } else {
            kept.push(tokens[at]);
            at += 1;
        }
    }
    kept
}

/// How many tokens the item at the start has: up to a `;`, or the end of its first block.
fn item(tokens: &[Token<'_>]) -> usize {
    let (mut depth, mut block) = (0_usize, false);
    for (i, token) in tokens.iter().enumerate() {
        match token.text {
            "{" | "(" | "[" => {
                block |= depth == 0 && token.text == "{";
                depth += 1;
            }
            "}" | ")" | "]" => {
                depth = depth.saturating_sub(1);
                // Braces within a `use` end with its semicolon.
                let ends = tokens.get(i + 1).is_none_or(|next| next.text != ";");
                if depth == 0 && block && token.text == "}" && ends {
                    return i + 1;
                }
            }
            ";" if depth == 0 => return i + 1,
            _ => {}
        }
    }
    tokens.len()
}

#[test]
fn words_of_code_are_told_from_texts_comments_and_tests() {
    let source = "use a::b; // use c;\nfn f<'a>() { \"use d\\\" \"; r#\"e \" e\"#; '\\''; 'x'; '\\u{1F}'; }\n\
                  #[cfg(test)]\nuse g::{h};\n#[cfg(test)]\nmod tests { fn i() {} }\nj";
    let words: Vec<_> = tokens(source).iter().map(|token| (token.text, token.line)).collect();
    let words: Vec<_> = words.into_iter().filter(|(text, _)| text.starts_with(char::is_alphabetic)).collect();
    assert_eq!(words, [("use", 1), ("a", 1), ("b", 1), ("fn", 2), ("f", 2), ("a", 2), ("j", 7)]);
}
