//! A thread that says things on standard output, so that a terminal that was stopped, or a reader that sleeps, never holds up
//! who has something to say.

use super::exit::{Exit, Refusal};
use super::out;
use super::signals::Signals;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};

/// So many bytes are written at once, where so much waits; one text may go over it.
const AT_ONCE: usize = 16 * 1024;

/// Who speaks.
#[derive(Debug)]
pub struct Speaker {
    sender: SyncSender<String>,
    thread: JoinHandle<()>,
    lost: u64,
    /// What is said of so many texts that were lost.
    lost_words: fn(u64) -> String,
}

impl Speaker {
    /// Lets `most` texts wait for their reader; what comes then is lost, counted, and told before the next text that finds room.
    pub fn start(most: usize, lost_words: fn(u64) -> String) -> Speaker {
        let (sender, texts) = sync_channel(most);
        let thread = thread::spawn(move || speak(&texts, out::show));
        Speaker { sender, thread, lost: 0, lost_words }
    }

    /// Says it, if there is room.
    pub fn say(&mut self, text: String) {
        let text = self.with_lost(text);
        match self.sender.try_send(text) {
            Ok(()) => self.lost = 0,
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => self.lost += 1,
        }
    }

    /// Waits until there is room, says it, and waits until all is said.
    pub fn conclude(self, text: String) {
        let text = self.with_lost(text);
        let _ = self.sender.send(text);
        drop(self.sender);
        let _ = self.thread.join();
    }

    fn with_lost(&self, text: String) -> String {
        if self.lost > 0 { (self.lost_words)(self.lost) + &text } else { text }
    }
}

/// Hands on what comes, in pieces of whole texts.
fn speak(texts: &Receiver<String>, show: impl Fn(String)) {
    while let Ok(mut text) = texts.recv() {
        while text.len() < AT_ONCE
            && let Ok(next) = texts.try_recv()
        {
            text += &next;
        }
        show(text);
    }
}

/// Waits until all that has happened is told, which may take a while where a fleet has just said much, or for ever where nobody
/// reads it; or until a signal asks not to.
pub async fn finished(
    telling: impl FnOnce() -> Exit + Send + 'static,
    signals: &mut Signals,
    lacks: &'static str,
) -> Exit {
    let telling = tokio::task::spawn_blocking(telling);
    tokio::select! {
        told = telling => told.unwrap_or_else(|error| Refusal::environment(error.to_string()).tell()),
        () = signals.next() => Refusal::environment(format!("ended by a signal before all was told: {lacks}")).tell(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    fn lost(count: u64) -> String {
        format!("({count} lost)\n")
    }

    /// One whose thread is the test, which reads when it likes.
    fn unheard(most: usize) -> (Speaker, Receiver<String>) {
        let (sender, texts) = sync_channel(most);
        (Speaker { sender, thread: thread::spawn(|| {}), lost: 0, lost_words: lost }, texts)
    }

    #[test]
    fn what_finds_no_room_is_lost_and_counted_and_nobody_waits() {
        let (mut speaker, texts) = unheard(2);
        (1..=5).for_each(|number| speaker.say(format!("{number}\n")));
        assert_eq!([texts.recv().unwrap(), texts.recv().unwrap()], ["1\n", "2\n"]);
        speaker.say("6\n".into());
        speaker.say("7\n".into());
        assert_eq!(texts.try_iter().collect::<String>(), "(3 lost)\n6\n7\n");
        speaker.conclude("the end\n".into());
        assert_eq!(texts.iter().collect::<String>(), "the end\n");
    }

    #[test]
    fn what_waits_is_written_together_and_in_order() {
        let (sender, texts) = sync_channel(9);
        let long = "x".repeat(AT_ONCE);
        ["a", "b", &long, "c"].into_iter().for_each(|text| sender.send(text.to_owned()).unwrap());
        drop(sender);
        let shown = RefCell::new(Vec::new());
        speak(&texts, |text| shown.borrow_mut().push(text));
        assert_eq!(shown.into_inner(), [format!("ab{long}"), "c".to_owned()]);
    }
}
