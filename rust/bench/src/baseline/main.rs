//! The baseline: the cost of bare system calls over loopback, without the addon and without the engine.
//!
//! Prints a line of JSON per row: microseconds per packet, the median of all rounds. `scripts/bench.sh` runs it and prints
//! the figures beside those of the peers. `--quick` runs few rounds.
//!
//! | rows | system calls |
//! |---|---|
//! | `send_one`, `receive_one` | `sendto`, `recvfrom` |
//! | `send_batch`, `receive_batch` | `sendmmsg`, `recvmmsg`, a burst per call (Linux) |
//! | `send_offload`, `receive_offload` | the same with `UDP_SEGMENT`, `UDP_GRO` (Linux) |
//! | `buffered` | not a time: how many packets the largest receive buffer that the kernel grants holds (Linux) |

#[cfg(any(target_os = "linux", target_os = "android"))]
#[allow(unsafe_code, reason = "system calls that std does not offer")]
mod batch;
mod single;

use std::io;
use std::net::UdpSocket;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use packet_peer_udp_bench::{Benchmark, SIZES, run_interleaved};

/// A burst that has not arrived after this time counts as lost.
const LOST_AFTER: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let rounds = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => 4_000,
        ["--quick"] => 200,
        _ => {
            eprintln!("Usage: baseline [--quick]");
            return ExitCode::from(2);
        }
    };
    match measure(rounds) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("baseline: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(rounds: usize) -> io::Result<()> {
    let mut all: Vec<Box<dyn Benchmark>> = Vec::new();
    for size in SIZES {
        all.push(Box::new(single::OneByOne::new(size)?));
        #[cfg(any(target_os = "linux", target_os = "android"))]
        {
            all.push(Box::new(batch::Batches::new(size)?));
            match batch::Batches::with_offload(size) {
                Ok(batches) => all.push(Box::new(batches)),
                Err(error) => eprintln!("baseline: this kernel has no UDP_SEGMENT or UDP_GRO: {error}"),
            }
        }
    }
    run_interleaved(&mut all, rounds)?;
    for row in all.iter().flat_map(|one| one.rows()) {
        println!("{}", row.to_json());
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    for size in SIZES {
        let buffered = batch::buffered(size)?;
        println!(
            r#"{{"row": "buffered", "size": {size}, "packets": {}, "sent": {}, "buffer": {}}}"#,
            buffered.packets, buffered.sent, buffered.buffer
        );
    }
    Ok(())
}

/// A sending and a receiving socket on loopback.
fn pair() -> io::Result<(UdpSocket, UdpSocket)> {
    let sender = UdpSocket::bind("127.0.0.1:0")?;
    let receiver = UdpSocket::bind("127.0.0.1:0")?;
    receiver.set_nonblocking(true)?;
    Ok((sender, receiver))
}

/// Calls `receive`, which returns the bytes it got, until there are `bytes`. An error if they do not arrive in time.
fn receive_all(bytes: usize, mut receive: impl FnMut() -> io::Result<usize>) -> io::Result<()> {
    let mut left = bytes;
    let mut deadline = None;
    while left > 0 {
        match receive() {
            Ok(got) => left = left.checked_sub(got).ok_or_else(|| io::Error::other("more arrived than was sent"))?,
            // Loopback usually delivers within the send; a busy kernel may do so later.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                if Instant::now() > *deadline.get_or_insert_with(|| Instant::now() + LOST_AFTER) {
                    return Err(io::Error::other(format!("{left} of {bytes} bytes were lost")));
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
