//! A port that takes connections but is no server that anybody could talk to.
#![allow(dead_code)]

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

/// Holds its connections until the value ends.
pub struct HangingServer {
    port: u16,
    has_ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl HangingServer {
    /// It says nothing.
    pub fn silent() -> HangingServer {
        HangingServer::saying(b"")
    }

    /// It says what no database server says.
    pub fn garbage() -> HangingServer {
        HangingServer::saying(b"220 mx.test ESMTP\r\n\xff\xff\xff\xff\0\0\0\0")
    }

    /// It says this to everybody, at once.
    pub fn saying(words: &'static [u8]) -> HangingServer {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let has_ended = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&has_ended);
        let thread = thread::spawn(move || {
            let mut held = Vec::new();
            while let Ok((mut stream, _)) = listener.accept() {
                if ended.load(Ordering::Relaxed) {
                    return;
                }
                let _ = stream.write_all(words);
                held.push(stream);
            }
        });
        HangingServer { port, has_ended, thread: Some(thread) }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// For the control file host.mysql.
    pub fn host_mysql_line(&self) -> String {
        format!("127.0.0.1:user:secret:{}", self.port)
    }
}

impl Drop for HangingServer {
    fn drop(&mut self) {
        self.has_ended.store(true, Ordering::Relaxed);
        // Wakes the thread.
        let woken = TcpStream::connect(("127.0.0.1", self.port));
        if let (Ok(_), Some(thread)) = (woken, self.thread.take()) {
            let _ = thread.join();
        }
    }
}
