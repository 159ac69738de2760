//! The client under test: a fresh command for each run, told by its environment what to do.

use crate::cli::command::{self, Beside, Status};
use crate::cli::exit::Refusal;
use crate::profile::{TlsPlan, Workload};
use std::collections::VecDeque;
use std::fs::File;
use std::future::pending;
use std::io::Write;
use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::task::JoinHandle;

/// So much of what a client writes is kept in its file: a day of a talkative one.
const MOST_LOG: usize = 10 * 1024 * 1024;

/// So much of the end of it is kept in memory.
const TAIL: usize = 4096;

/// So many of its last lines are shown.
const LAST_LINES: usize = 10;

/// What a client is told.
#[derive(Clone, Debug)]
pub struct Errand {
    /// BROWNOUT_WORKLOAD.
    pub workload: Workload,
    /// BROWNOUT_KEEPALIVE, in whole seconds.
    pub keep_alive: Duration,
    /// BROWNOUT_CLIENT_ID, of at most 23 characters, which every hub takes [MQTT-3.1.3-5].
    pub client_id: String,
    /// BROWNOUT_TOPIC.
    pub topic: String,
    /// BROWNOUT_QOS.
    pub qos: u8,
    /// BROWNOUT_INTERVAL, in seconds: from one message to the next.
    pub interval: Duration,
}

/// A running client.
#[derive(Debug)]
pub struct Client {
    beside: Beside,
    words: Arc<Mutex<Words>>,
    readers: Vec<JoinHandle<()>>,
}

/// What it wrote.
#[derive(Debug)]
struct Words {
    log: Option<File>,
    written: usize,
    tail: VecDeque<u8>,
}

impl Client {
    /// Starts the command; what it writes goes into `log`, where there is one.
    pub fn start(
        command: &[String],
        address: SocketAddr,
        errand: &Errand,
        files: Option<u64>,
        log: Option<File>,
    ) -> Result<Client, Refusal> {
        let (program, arguments) =
            command.split_first().ok_or_else(|| Refusal::usage("give the client under test after --"))?;
        let mut command = command::prepared(program, arguments, address, &TlsPlan::default(), files);
        command
            .env("BROWNOUT_WORKLOAD", errand.workload.word())
            .env("BROWNOUT_KEEPALIVE", errand.keep_alive.as_secs().to_string())
            .env("BROWNOUT_CLIENT_ID", &errand.client_id)
            .env("BROWNOUT_TOPIC", &errand.topic)
            .env("BROWNOUT_QOS", errand.qos.to_string())
            .env("BROWNOUT_INTERVAL", errand.interval.as_secs_f64().to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut beside = Beside::start_whole(command, program)?;
        let words = Arc::new(Mutex::new(Words { log, written: 0, tail: VecDeque::new() }));
        let (out, err) = beside.outputs();
        let readers = [out.map(|out| keep(out, &words)), err.map(|err| keep(err, &words))];
        Ok(Client { beside, words, readers: readers.into_iter().flatten().collect() })
    }

    /// Waits for it to end by itself.
    pub async fn wait(&mut self) -> Status {
        self.beside.wait().await
    }

    /// Asks it to end, and makes it after a grace time.
    pub async fn stop(&mut self) {
        self.beside.stop(pending()).await;
    }

    /// The last lines that it wrote.
    pub fn last_lines(&self) -> Vec<String> {
        let words = self.words.lock().unwrap_or_else(PoisonError::into_inner);
        let tail: Vec<u8> = words.tail.iter().copied().collect();
        let text = String::from_utf8_lossy(&tail);
        let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        lines.iter().skip(lines.len().saturating_sub(LAST_LINES)).map(|line| (*line).to_owned()).collect()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // A process that it left behind may hold the pipes open.
        self.readers.iter().for_each(JoinHandle::abort);
    }
}

/// Reads on until it is closed, so that no client is held up by a full pipe.
fn keep(mut pipe: impl AsyncRead + Send + Unpin + 'static, words: &Arc<Mutex<Words>>) -> JoinHandle<()> {
    let words = Arc::clone(words);
    tokio::spawn(async move {
        let mut buffer = [0; 1024];
        while let Ok(count @ 1..) = pipe.read(&mut buffer).await {
            words.lock().unwrap_or_else(PoisonError::into_inner).take(&buffer[..count]);
        }
    })
}

impl Words {
    fn take(&mut self, bytes: &[u8]) {
        self.tail.extend(bytes);
        let excess = self.tail.len().saturating_sub(TAIL);
        self.tail.drain(..excess);
        let room = MOST_LOG.saturating_sub(self.written).min(bytes.len());
        if let Some(log) = &mut self.log
            && log.write_all(&bytes[..room]).is_err()
        {
            // The run does not rest on it; its last lines are in memory.
            self.log = None;
        }
        self.written += room;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_what_was_written_is_kept() {
        let mut words = Words { log: None, written: 0, tail: VecDeque::new() };
        for number in 0..2000 {
            words.take(format!("line {number}\n").as_bytes());
        }
        assert_eq!(words.tail.len(), TAIL);
        assert!(Vec::from(words.tail).ends_with(b"line 1998\nline 1999\n"));
    }
}
