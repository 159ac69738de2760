//! What the numbers in the payloads of one direction tell: messages that are left out, and such that come again.

use super::line::Line;
use super::series::{AllSeries, Gap, Number};
use super::teller::{About, Teller as Book};
use crate::base::{Direction, Time};
use crate::event::MessageNews;
use crate::mqtt::QoS;

/// The numbers of one direction; none until one came.
#[derive(Clone, Debug, Default)]
pub(super) struct Numbers(Option<Box<AllSeries>>);

impl Numbers {
    pub fn is_none(&self) -> bool {
        self.0.is_none()
    }

    /// The number of a message that is new.
    pub fn take(&mut self, now: Time, of: Direction, number: &Number, book: &mut Book) {
        book.count(of).numbered += 1;
        let (gaps, came_before) = self.0.get_or_insert_default().take(number);
        left_out(now, of, &gaps, book);
        if came_before {
            book.count(of).repeated += 1;
            let about = About { link: Some(number.link), direction: of, qos: number.qos, id: number.id };
            book.tell(now, about, MessageNews::Repeated { number: number.number });
        }
    }

    /// The session so far is over.
    pub fn begin_anew(&mut self) {
        if let Some(series) = &mut self.0 {
            series.begin_anew();
        }
    }

    /// What the device had kept has come; if it had kept any, the numbers that it leaves out are those that it dropped. How
    /// many.
    pub fn burst_over(&mut self, now: Time, of: Direction, had_kept: bool, book: &mut Book) -> u64 {
        let gaps = self.close(AllSeries::close_burst);
        if had_kept {
            return gaps.iter().map(Gap::missing).sum();
        }
        left_out(now, of, &gaps, book);
        0
    }

    /// A link is over. `heard`: when its sender was last heard of on it.
    pub fn link_ended(
        &mut self,
        now: Time,
        line: &Line,
        of: Direction,
        heard: Option<Time>,
        book: &mut Book,
    ) {
        let gaps = self.close(|series| series.close(line.accepted(), heard.unwrap_or_default()));
        left_out(now, of, &gaps, book);
    }

    /// No more comes.
    pub fn end(&mut self, now: Time, of: Direction, book: &mut Book) {
        let gaps = self.close(AllSeries::close_all);
        left_out(now, of, &gaps, book);
    }

    fn close(&mut self, how: impl FnOnce(&mut AllSeries) -> Vec<Gap>) -> Vec<Gap> {
        self.0.as_deref_mut().map(how).unwrap_or_default()
    }
}

/// Numbers are left out.
fn left_out(now: Time, of: Direction, gaps: &[Gap], book: &mut Book) {
    for gap in gaps {
        let counts = book.count(of);
        counts.missing += gap.missing();
        if gap.qos == QoS::AtMostOnce {
            counts.lost[0] += gap.missing();
        }
        let about = About { link: Some(gap.link), direction: of, qos: gap.qos, id: gap.id };
        let Gap { from, to, excuse, .. } = *gap;
        book.tell(now, about, MessageNews::Gap { from, to, excuse });
    }
}
