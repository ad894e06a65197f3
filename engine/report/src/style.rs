//! How texts look: colours or none, how wide, and in which time zone.

use jiff::tz::TimeZone;

/// How texts are written for one reader.
#[derive(Debug, Clone)]
pub struct Style {
    /// Whether colours are used.
    pub colour: bool,
    /// Columns of a line.
    pub width: usize,
    /// The zone that times are shown in.
    pub zone: TimeZone,
}

/// What a piece of text means, from which its colour follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Nothing special.
    Plain,
    /// A heading.
    Head,
    /// It went well.
    Good,
    /// Something was changed or will be.
    Change,
    /// Less important.
    Quiet,
    /// Somebody should look.
    Warn,
    /// It went wrong.
    Bad,
}

impl Style {
    /// No colours, and times in UTC.
    #[must_use]
    pub fn plain(width: usize) -> Self {
        Self {
            colour: false,
            width,
            zone: TimeZone::UTC,
        }
    }

    /// The text in the colour of its tone; the text must be printable already.
    #[must_use]
    pub fn paint(&self, tone: Tone, text: &str) -> String {
        let code = match tone {
            Tone::Plain => return text.to_owned(),
            Tone::Head => "1",
            Tone::Good => "32",
            Tone::Change => "36",
            Tone::Quiet => "2",
            Tone::Warn => "33",
            Tone::Bad => "1;31",
        };
        if self.colour && !text.is_empty() {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_only_where_wanted() {
        let plain = Style::plain(80);
        assert_eq!(plain.paint(Tone::Bad, "x"), "x");
        let coloured = Style {
            colour: true,
            ..plain
        };
        assert_eq!(coloured.paint(Tone::Good, "x"), "\x1b[32mx\x1b[0m");
        assert_eq!(coloured.paint(Tone::Plain, "x"), "x");
    }
}
