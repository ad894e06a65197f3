//! Dates: instants such as `2026-03-01T22:00:00+01:00`, whatever the clock of the reader shows.
//!
//! A date says its place on earth: an offset, a `Z`, or the name of a time zone in brackets. What
//! has none is refused and not taken as the controller's own time: the meeting that approved a
//! window and the laptop that runs it may be in different zones. Names of zones are looked up in
//! the rules that the program carries, so that one text is one instant on every controller.

use jiff::civil::Date as Day;
use jiff::fmt::temporal::DateTimeParser;
use jiff::tz::{Disambiguation, Offset, OffsetConflict, TimeZoneDatabase};
use jiff::{SignedDuration, Timestamp};
use std::sync::LazyLock;

/// Longest text taken for a date.
const MAX_LEN: usize = 100;
/// Neither an offset nor a zone is guessed, and a time that is there twice is not chosen.
static PARSER: DateTimeParser = DateTimeParser::new()
    .offset_conflict(OffsetConflict::Reject)
    .disambiguation(Disambiguation::Reject);
static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// An instant, with the offset in which it is written.
#[derive(Clone, Copy, Debug)]
pub struct Date {
    at: Timestamp,
    offset: Offset,
}

impl Date {
    /// Reads a date: RFC 3339 with an offset, or a time with its zone in brackets.
    ///
    /// # Errors
    /// What the text should be, in words that do not repeat it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let no_date = "should be a date like `2026-03-01T22:00:00+01:00`";
        if text.len() > MAX_LEN {
            return Err(no_date.to_owned());
        }
        let pieces = PARSER.parse_pieces(text).map_err(|_| no_date.to_owned())?;
        if pieces.time().is_none() {
            let message =
                "should be a date with a time and its offset, like `2026-03-01T22:00:00+01:00`";
            return Err(message.to_owned());
        }
        let zone = pieces.time_zone_annotation();
        let offset = pieces.to_numeric_offset();
        let date = match (offset, zone) {
            (None, None) => {
                let message = "should say its time zone: write the offset behind it, like `+01:00`, or the zone, like `[Europe/Berlin]`";
                return Err(message.to_owned());
            }
            (Some(offset), None) => PARSER
                .parse_timestamp(text)
                .map(|at| Self { at, offset })
                .map_err(|_| no_date.to_owned())?,
            (_, Some(zone)) => {
                if zone.to_time_zone_with(&ZONES).is_err() {
                    return Err("names a time zone that is not known".to_owned());
                }
                let zoned = PARSER.parse_zoned_with(&ZONES, text).map_err(|_| match offset {
                    Some(_) => "has an offset that its time zone does not have at that time",
                    None => "is a time that the clocks of its zone show twice or never: write the offset, too",
                })?;
                Self {
                    at: zoned.timestamp(),
                    offset: zoned.offset(),
                }
            }
        };
        let epoch = Day::constant(1970, 1, 1);
        match pieces.date() >= epoch && date.at >= Timestamp::UNIX_EPOCH {
            true => Ok(date.plain()),
            false => Err("should be a date after 1970".to_owned()),
        }
    }

    /// Its normal form: RFC 3339 with a numeric offset, or `Z`.
    pub fn text(&self) -> String {
        match self.offset {
            Offset::UTC => self.at.to_string(),
            offset => self.at.display_with_offset(offset).to_string(),
        }
    }

    /// The instant.
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// So many milliseconds later; `None` behind the end of the calendar.
    pub fn later(&self, milliseconds: u64) -> Option<Self> {
        self.moved(SignedDuration::from_millis(
            i64::try_from(milliseconds).ok()?,
        ))
    }

    /// So many milliseconds earlier; `None` before 1970.
    pub fn earlier(&self, milliseconds: u64) -> Option<Self> {
        self.moved(-SignedDuration::from_millis(
            i64::try_from(milliseconds).ok()?,
        ))
    }

    /// The whole milliseconds since another date; `None` if that one is later.
    pub fn since(&self, other: &Self) -> Option<u64> {
        let between = self.at.duration_since(other.at).as_millis();
        (self.at >= other.at)
            .then(|| u64::try_from(between).ok())
            .flatten()
    }

    fn moved(&self, by: SignedDuration) -> Option<Self> {
        let at = self.at.checked_add(by).ok()?;
        (at >= Timestamp::UNIX_EPOCH).then_some(Self { at, ..*self })
    }

    /// An offset with seconds has no form in RFC 3339; no zone has had one for long.
    fn plain(self) -> Self {
        match self.offset.seconds() % 60 {
            0 => self,
            _ => Self {
                offset: Offset::UTC,
                ..self
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn normal(text: &str) -> Result<String, String> {
        Date::parse(text).map(|date| date.text())
    }

    #[test]
    fn dates_have_one_normal_form() {
        for (text, wanted) in [
            ("2026-03-01T22:00:00+01:00", "2026-03-01T22:00:00+01:00"),
            ("2026-03-01T22:00+01:00", "2026-03-01T22:00:00+01:00"),
            ("2026-03-01 22:00:00+01:00", "2026-03-01T22:00:00+01:00"),
            ("2026-03-01T22:00:00Z", "2026-03-01T22:00:00Z"),
            ("2026-03-01T22:00:00-00:00", "2026-03-01T22:00:00Z"),
            (
                "2026-03-01T22:00:00[Europe/Berlin]",
                "2026-03-01T22:00:00+01:00",
            ),
            (
                "2026-07-01T22:00[Europe/Berlin]",
                "2026-07-01T22:00:00+02:00",
            ),
            (
                "2026-07-01T22:00:00+02:00[Europe/Berlin]",
                "2026-07-01T22:00:00+02:00",
            ),
            ("2026-07-01T22:00:00.250Z", "2026-07-01T22:00:00.25Z"),
        ] {
            assert_eq!(normal(text), Ok(wanted.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_is_no_instant_is_refused_with_a_way_out() {
        let all: Vec<String> = [
            "tomorrow",
            "",
            "2026-03-01",
            "2026-03-01T22:00:00",
            "2026-03-01T22:00:00+1",
            "2026-02-30T22:00:00Z",
            "2026-03-01T25:00:00Z",
            "2026-03-29T02:30:00[Europe/Berlin]",
            "2026-10-25T02:30:00[Europe/Berlin]",
            "2026-07-01T22:00:00+01:00[Europe/Berlin]",
            "2026-07-01T22:00:00[Europe/Berlim]",
            "1969-12-31T23:59:59Z",
            "-000001-01-01T00:00:00Z",
        ]
        .iter()
        .map(|text| format!("{text}\n    {}", normal(text).unwrap_err()))
        .collect();
        insta::assert_snapshot!(all.join("\n"));
    }

    #[test]
    fn dates_move_and_stay_in_their_offset() {
        let date = Date::parse("2026-03-29T01:30:00+01:00").unwrap();
        let later = date.later(7_200_000).unwrap();
        assert_eq!(later.text(), "2026-03-29T03:30:00+01:00");
        assert_eq!(later.since(&date), Some(7_200_000));
        assert_eq!(date.since(&later), None);
        assert_eq!(later.earlier(7_200_000).unwrap().at(), date.at());
        assert!(date.later(u64::MAX).is_none());
        assert!(date.earlier(100 * 366 * 86_400_000).is_none());
    }

    proptest! {
        #[test]
        fn the_normal_form_is_stable(seconds in 0_i64..253_000_000_000, minutes in -1400_i32..1400, nano in 0_i32..1_000_000_000) {
            let at = Timestamp::new(seconds, nano).unwrap();
            let offset = Offset::from_seconds(minutes * 60).unwrap();
            let text = at.display_with_offset(offset).to_string();
            prop_assume!(text.starts_with(|c: char| c.is_ascii_digit()));
            if let Ok(date) = Date::parse(&text) {
                prop_assert_eq!(date.at(), at);
                prop_assert_eq!(normal(&date.text()), Ok(date.text()));
            } else {
                prop_assert!(seconds < 2 * 86_400);
            }
        }

        #[test]
        fn arbitrary_text_never_panics(text in "\\PC{0,40}|[0-9TZ:+.\\[\\]/a-zA-Z-]{0,40}") {
            if let Err(why) = Date::parse(&text) {
                prop_assert!(text.len() < 12 || !why.contains(&text));
            }
        }
    }
}
