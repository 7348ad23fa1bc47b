//! Calendar dates as texts write them, with parts left open.

use chrono::{Datelike, NaiveDate};

use super::date::{Instant, Part};

/// A date of the calendar, as far as a text gives it.
#[derive(Debug, Default)]
pub(super) struct Civil {
    year: i32,
    month: Option<u32>,
    day: Option<u32>,
    hour: Option<u32>,
    minute: Option<u32>,
    second: Option<u32>,
    nanos: Option<u32>,
    offset_s: i64,
}

impl Civil {
    /// The instant; `round_up` fills what is open with the largest value.
    pub(super) fn instant(&self, round_up: bool) -> Option<Instant> {
        let fill = |low: u32, high: u32| if round_up { high } else { low };
        let month = self.month.unwrap_or(fill(1, 12));
        let first = NaiveDate::from_ymd_opt(self.year, month, 1)?;
        let last = first.num_days_in_month().into();
        let date = first.with_day(self.day.unwrap_or(fill(1, last)))?;
        let time = date.and_hms_opt(
            self.hour.unwrap_or(fill(0, 23)),
            self.minute.unwrap_or(fill(0, 59)),
            self.second.unwrap_or(fill(0, 59)),
        )?;
        let nanos = self.nanos.unwrap_or(fill(0, 999_999_999));
        Some(Instant {
            seconds: time.and_utc().timestamp() - self.offset_s,
            nanos,
        })
    }

    /// `yyyy[-MM[-dd[THH[:mm[:ss[.n]]]]]][zone]`, every number with all its digits.
    pub(super) fn iso(text: &str) -> Option<Self> {
        let mut rest = Cursor(text.as_bytes());
        let mut civil = Self {
            year: rest.digits(4)?.try_into().ok()?,
            ..Self::default()
        };
        if rest.take(b'-') {
            civil.month = Some(rest.digits(2)?);
            if rest.take(b'-') {
                civil.day = Some(rest.digits(2)?);
            }
        }
        if rest.take(b'T') && !rest.0.is_empty() {
            civil.hour = Some(rest.digits(2)?);
            if rest.take(b':') {
                civil.minute = Some(rest.digits(2)?);
                if rest.take(b':') {
                    civil.second = Some(rest.digits(2)?);
                    if rest.take(b'.') || rest.take(b',') {
                        civil.nanos = Some(rest.fraction(9)?);
                    }
                }
            }
            civil.offset_s = rest.zone()?;
        }
        rest.0.is_empty().then_some(civil)
    }

    /// What a text says by the parts of a pattern.
    pub(super) fn pattern(text: &str, parts: &[Part]) -> Option<Self> {
        let mut rest = Cursor(text.as_bytes());
        let mut civil = Self {
            year: 1970,
            ..Self::default()
        };
        for part in parts {
            match *part {
                Part::Literal(c) => rest.literal(c)?,
                Part::Letter('y' | 'u', count) => {
                    civil.year = rest.digits(count.max(4))?.try_into().ok()?
                }
                Part::Letter('M', _) => civil.month = Some(rest.digits(2)?),
                Part::Letter('d', _) => civil.day = Some(rest.digits(2)?),
                Part::Letter('H', _) => civil.hour = Some(rest.digits(2)?),
                Part::Letter('m', _) => civil.minute = Some(rest.digits(2)?),
                Part::Letter('s', _) => civil.second = Some(rest.digits(2)?),
                Part::Letter('S', count) => civil.nanos = Some(rest.fraction(count)?),
                Part::Letter(_, _) => civil.offset_s = rest.zone()?,
            }
        }
        rest.0.is_empty().then_some(civil)
    }
}

struct Cursor<'a>(&'a [u8]);

impl Cursor<'_> {
    fn take(&mut self, byte: u8) -> bool {
        let rest = self.0.strip_prefix(&[byte]);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    fn literal(&mut self, c: char) -> Option<()> {
        self.0 = self.0.strip_prefix(c.encode_utf8(&mut [0; 4]).as_bytes())?;
        Some(())
    }

    fn digits(&mut self, count: usize) -> Option<u32> {
        let (digits, rest) = self.0.split_at_checked(count)?;
        if !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        self.0 = rest;
        Some(
            digits
                .iter()
                .fold(0, |number, digit| number * 10 + u32::from(digit - b'0')),
        )
    }

    /// One to `most` digits after a decimal point, as nanoseconds.
    fn fraction(&mut self, most: usize) -> Option<u32> {
        let count = self
            .0
            .iter()
            .take(most.min(9))
            .take_while(|b| b.is_ascii_digit())
            .count();
        if count == 0 {
            return None;
        }
        let places = 9 - u32::try_from(count).ok()?;
        Some(self.digits(count)? * 10_u32.pow(places))
    }

    /// `Z`, `+01:00`, `+0100`, `+01` or nothing, as seconds east of Greenwich.
    fn zone(&mut self) -> Option<i64> {
        let sign = if self.take(b'+') {
            1
        } else if self.take(b'-') {
            -1
        } else {
            self.take(b'Z');
            return Some(0);
        };
        let hours = i64::from(self.digits(2)?);
        self.take(b':');
        let minutes = if self.0.is_empty() {
            0
        } else {
            i64::from(self.digits(2)?)
        };
        Some(sign * (hours * 3_600 + minutes * 60))
    }
}
