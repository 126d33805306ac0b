//! Texts of strangers, made harmless: nothing in them moves a cursor, colours a line, turns the
//! direction of what follows, or is there and not seen.

use std::borrow::Cow;
use std::io;
use std::path::Path;

/// True for what is not to reach a terminal or a log as it is: control characters, marks that
/// change the direction of a text, and characters of no width.
pub fn is_hidden(letter: char) -> bool {
    letter.is_control()
        || matches!(letter,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

/// The text with such characters written out, as `\u{1b}`.
pub fn plain(text: &str) -> Cow<'_, str> {
    escaped(text, |_| false)
}

/// The same of many lines, whose ends and tabs stay.
pub fn plain_lines(text: &str) -> Cow<'_, str> {
    escaped(text, |letter| matches!(letter, '\n' | '\t'))
}

fn escaped(text: &str, stays: impl Fn(char) -> bool) -> Cow<'_, str> {
    let is_bad = |letter: char| is_hidden(letter) && !stays(letter);
    if !text.contains(is_bad) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for letter in text.chars() {
        if is_bad(letter) {
            out.extend(letter.escape_unicode());
        } else {
            out.push(letter);
        }
    }
    Cow::Owned(out)
}

/// Lines that this program coloured: its colours stay, and nothing else that a terminal obeys.
pub fn plain_coloured(text: &str) -> Cow<'_, str> {
    if !text.contains('\u{1b}') {
        return plain_lines(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\u{1b}') {
        out.push_str(&plain_lines(&rest[..at]));
        let colour = colour_length(&rest[at..]);
        if colour == 0 {
            out.extend('\u{1b}'.escape_unicode());
            rest = &rest[at + 1..];
        } else {
            out.push_str(&rest[at..at + colour]);
            rest = &rest[at + colour..];
        }
    }
    out.push_str(&plain_lines(rest));
    Cow::Owned(out)
}

/// Bytes of the colour that a text begins with, `ESC [ 1;31 m`; 0 when it begins with none.
fn colour_length(text: &str) -> usize {
    let Some(inner) = text.strip_prefix("\u{1b}[") else {
        return 0;
    };
    let is_part = |byte: &u8| byte.is_ascii_digit() || *byte == b';';
    let digits = inner.bytes().take_while(|byte| is_part(byte)).count();
    match inner.as_bytes().get(digits) {
        Some(b'm') => 2 + digits + 1,
        Some(_) | None => 0,
    }
}

/// The text with such characters replaced by others of the same length, so that places in it stay:
/// for lines that are shown with a mark under them.
pub fn same_length(text: &str) -> Cow<'_, str> {
    let is_bad = |letter: char| is_hidden(letter) && !matches!(letter, '\n' | '\t' | '\r');
    if !text.contains(is_bad) {
        return Cow::Borrowed(text);
    }
    let replace = |letter: char| match letter.len_utf8() {
        _ if !is_bad(letter) => letter.to_string(),
        3 => char::REPLACEMENT_CHARACTER.to_string(),
        length => "?".repeat(length),
    };
    Cow::Owned(text.chars().map(replace).collect())
}

/// A writer of lines in which nothing hidden is left.
#[derive(Debug)]
pub struct Plain<W>(pub W);

impl<W: io::Write> io::Write for Plain<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        self.0.write_all(plain_coloured(&text).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// What is wrong with writing a file of some format here: there is one already that is something
/// else. Its first line would hold `mark`.
///
/// # Errors
/// It cannot be read.
pub fn overwrites(path: &Path, mark: &str) -> io::Result<bool> {
    use std::io::Read as _;
    match std::fs::metadata(path) {
        // Whatever is no file, such as a terminal, loses nothing.
        Ok(there) if there.is_file() && there.len() > 0 => {}
        Ok(_) => return Ok(false),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    }
    let mut head = Vec::new();
    std::fs::File::open(path)?
        .take(4096)
        .read_to_end(&mut head)?;
    let line = head.split(|byte| *byte == b'\n').next().unwrap_or(&[]);
    Ok(!String::from_utf8_lossy(line).contains(mark))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn what_a_terminal_obeys_is_written_out() {
        assert_eq!(plain("orders \u{e9}"), "orders \u{e9}");
        assert_eq!(plain("a\u{1b}[2Jb\nc"), "a\\u{1b}[2Jb\\u{a}c");
        assert_eq!(
            plain("\u{202e}x\u{200b}\u{9b}"),
            "\\u{202e}x\\u{200b}\\u{9b}"
        );
        assert_eq!(plain_lines("a\tb\nc\r"), "a\tb\nc\\u{d}");
    }

    #[test]
    fn colours_of_our_own_stay_and_nothing_else_of_the_kind() {
        let mut out = Plain(Vec::new());
        out.write_all("\u{1b}[1;31mERROR\u{1b}[0m a\u{1b}[2J\u{1b}]0;t\u{7} \u{202e}\n".as_bytes())
            .unwrap();
        let text = String::from_utf8(out.0).unwrap();
        let expected = "\u{1b}[1;31mERROR\u{1b}[0m a\\u{1b}[2J\\u{1b}]0;t\\u{7} \\u{202e}\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn places_in_a_text_stay_where_they_are() {
        let text = "a\u{1b}b\u{202e}c\u{9b}d\u{e0001}\n";
        let same = same_length(text);
        assert_eq!(same.len(), text.len());
        assert_eq!(same, "a?b\u{fffd}c??d????\n");
    }

    #[test]
    fn only_what_is_of_the_format_is_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        assert!(!overwrites(&path, "distro-trace").unwrap());
        for (text, refused) in [
            ("", false),
            ("{\"format\":\"distro-trace\"}\n{}", false),
            ("about = \"a scenario\"\n# distro-trace\n", true),
        ] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(
                overwrites(&path, "distro-trace").unwrap(),
                refused,
                "{text}"
            );
        }
        assert!(!overwrites(Path::new("/dev/null"), "distro-trace").unwrap());
    }
}
