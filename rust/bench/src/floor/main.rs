//! What the kernel itself costs: bare system calls over loopback, without the addon and without the engine.
//!
//! Prints a line of JSON per row, microseconds per packet (the median of many rounds). `scripts/bench.sh` runs it and
//! prints its figures beside those of the peers. `--quick`: few rounds.
//!
//! | rows | system calls |
//! |---|---|
//! | `send_one`, `receive_one` | `sendto`, `recvfrom` |
//! | `send_batch`, `receive_batch` | `sendmmsg`, `recvmmsg`, a burst per call (Linux) |
//! | `send_offload`, `receive_offload` | the same with `UDP_SEGMENT`, `UDP_GRO`: the kernel cuts and joins (Linux) |
//! | `held` | not a time: how many packets wait in a socket's buffer, as large as the kernel grants, before any is lost (Linux) |

#[cfg(any(target_os = "linux", target_os = "android"))]
#[allow(unsafe_code, reason = "system calls that std does not offer")]
mod linux;
mod plain;

use std::io;
use std::net::UdpSocket;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use packet_peer_udp_bench::{Measured, SIZES, in_turn};

/// How long a burst may take to come out at the other end of loopback before it counts as lost.
const LOST_AFTER: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let rounds = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => 4_000,
        ["--quick"] => 200,
        _ => {
            eprintln!("Usage: floor [--quick]");
            return ExitCode::from(2);
        }
    };
    match measure(rounds) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("floor: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(rounds: usize) -> io::Result<()> {
    let mut all: Vec<Box<dyn Measured>> = Vec::new();
    for size in SIZES {
        all.push(Box::new(plain::OneByOne::new(size)?));
        #[cfg(any(target_os = "linux", target_os = "android"))]
        {
            all.push(Box::new(linux::Batches::new(size)?));
            match linux::Batches::with_offload(size) {
                Ok(batches) => all.push(Box::new(batches)),
                Err(error) => eprintln!("floor: this kernel has no UDP_SEGMENT or UDP_GRO: {error}"),
            }
        }
    }
    in_turn(&mut all, rounds)?;
    for row in all.iter().flat_map(|one| one.rows()) {
        println!("{}", row.to_json());
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    for size in SIZES {
        let held = linux::held(size)?;
        println!(
            r#"{{"row": "held", "size": {size}, "packets": {}, "sent": {}, "buffer": {}}}"#,
            held.packets, held.sent, held.buffer
        );
    }
    Ok(())
}

/// A socket that sends and one that receives, on loopback.
fn pair() -> io::Result<(UdpSocket, UdpSocket)> {
    let sender = UdpSocket::bind("127.0.0.1:0")?;
    let receiver = UdpSocket::bind("127.0.0.1:0")?;
    receiver.set_nonblocking(true)?;
    Ok((sender, receiver))
}

/// Calls `receive`, which says how many bytes it got, until `bytes` have come. An error when they do not come.
fn receive_all(bytes: usize, mut receive: impl FnMut() -> io::Result<usize>) -> io::Result<()> {
    let mut left = bytes;
    let mut deadline = None;
    while left > 0 {
        match receive() {
            Ok(got) => left = left.checked_sub(got).ok_or_else(|| io::Error::other("more arrived than was sent"))?,
            // Loopback delivers within the send, unless the kernel is so busy that it puts that off.
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
