//! A flood: small datagrams to one port as fast as the threads can send, for `scripts/floods.sh`.
//!
//! Each datagram is a message of its own (`sendmmsg`, no segmentation offload), since what the receiver's kernel coalesces counts as one
//! datagram where it is dropped. All of them are counted, and the sum is written to a file when the flood is over.
//!
//! With `--forged N`, each thread sends from N sockets that are bound to addresses of 127.0.0.0/8 and ports that chance chooses, and replaces
//! one of them every few bursts: the receiver sees senders without end, as it would with forged addresses.

use std::process::ExitCode;

#[cfg(any(target_os = "linux", target_os = "android"))]
#[allow(unsafe_code, reason = "sendmmsg, which std does not offer")]
mod sender {
    use std::fs;
    use std::io;
    use std::mem;
    use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
    use std::os::fd::AsRawFd;
    use std::path::PathBuf;
    use std::thread;
    use std::time::{Duration, Instant};

    use libc::{iovec, mmsghdr};

    /// Datagrams per system call.
    const BURST: usize = 64;

    #[expect(clippy::cast_possible_truncation, reason = "64")]
    const COUNT: libc::c_uint = BURST as libc::c_uint;

    /// A thread replaces one of its sockets after that many bursts.
    const BURSTS_OF_SOCKET: u64 = 4;

    /// What is sent, by whom and for how long.
    pub(crate) struct Flood {
        to: SocketAddr,
        time: Duration,
        size: usize,
        threads: u64,
        /// Sockets of a thread; 0 for one socket that the system binds.
        forged: usize,
        seed: u64,
        report: PathBuf,
    }

    /// What a thread has done.
    #[derive(Default)]
    struct Sent {
        packets: u64,
        senders: u64,
    }

    impl Flood {
        pub(crate) fn from_arguments(mut arguments: impl Iterator<Item = String>) -> Option<Self> {
            let mut flood = Self {
                to: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
                time: Duration::from_secs(1),
                size: 16,
                threads: thread::available_parallelism().map_or(1, |count| count.get() as u64),
                forged: 0,
                seed: 1,
                report: PathBuf::new(),
            };
            while let Some(name) = arguments.next() {
                let value = arguments.next()?;
                match name.as_str() {
                    "--to" => flood.to = value.parse().ok()?,
                    "--seconds" => flood.time = Duration::try_from_secs_f64(value.parse().ok()?).ok()?,
                    "--size" => flood.size = value.parse().ok()?,
                    "--threads" => flood.threads = value.parse().ok()?,
                    "--forged" => flood.forged = value.parse().ok()?,
                    "--seed" => flood.seed = value.parse().ok()?,
                    "--report" => flood.report = value.into(),
                    _ => return None,
                }
            }
            (flood.to.port() != 0 && !flood.report.as_os_str().is_empty()).then_some(flood)
        }

        /// Sends, and writes down how many datagrams the kernel has taken.
        pub(crate) fn run(&self) -> io::Result<()> {
            let all: Vec<Sent> = thread::scope(|scope| {
                let threads: Vec<_> = (0..self.threads).map(|number| scope.spawn(move || self.send(number))).collect();
                let join = |thread: thread::ScopedJoinHandle<'_, io::Result<Sent>>| {
                    thread.join().map_err(|_| io::Error::other("a thread has panicked"))?
                };
                threads.into_iter().map(join).collect::<io::Result<_>>()
            })?;
            let packets: u64 = all.iter().map(|sent| sent.packets).sum();
            let senders: u64 = all.iter().map(|sent| sent.senders).sum();
            // Renamed when it is whole, so that nobody reads half of it.
            let unfinished = self.report.with_extension("unfinished");
            fs::write(&unfinished, format!("{{\"packets\": {packets}, \"senders\": {senders}}}\n"))?;
            fs::rename(unfinished, &self.report)
        }

        fn send(&self, number: u64) -> io::Result<Sent> {
            let mut random = Random(self.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (number + 1));
            let mut sent = Sent::default();
            let mut sockets = Vec::new();
            for _ in 0..self.forged.max(1) {
                sockets.push(self.socket(&mut random)?);
                sent.senders += 1;
            }
            let mut payload = vec![0; self.size];
            let mut iovec = iovec { iov_base: payload.as_mut_ptr().cast(), iov_len: payload.len() };
            let mut headers: Vec<mmsghdr> = Vec::new();
            for _ in 0..BURST {
                // SAFETY: all zeroes is a valid value of a C structure of numbers and pointers: no address, no iovecs.
                let mut header: mmsghdr = unsafe { mem::zeroed() };
                header.msg_hdr.msg_iov = &raw mut iovec;
                header.msg_hdr.msg_iovlen = 1;
                headers.push(header);
            }
            let start = Instant::now();
            let mut bursts = 0_u64;
            while start.elapsed() < self.time {
                let index = usize::try_from(bursts).unwrap_or(0) % sockets.len();
                // SAFETY: `BURST` headers begin at the pointer. Each refers to the one iovec, which refers to `payload`; all three live
                // until this function ends, and the kernel writes to nothing but `msg_len`.
                let taken = unsafe { libc::sendmmsg(sockets[index].as_raw_fd(), headers.as_mut_ptr(), COUNT, 0) };
                match u64::try_from(taken) {
                    Ok(taken) => sent.packets += taken,
                    // Nothing listens any more: an answer to an earlier datagram, and this one was not sent.
                    Err(_) if io::Error::last_os_error().kind() == io::ErrorKind::ConnectionRefused => {}
                    Err(_) => return Err(io::Error::last_os_error()),
                }
                bursts += 1;
                if self.forged > 0 && bursts.is_multiple_of(BURSTS_OF_SOCKET) {
                    sockets[index] = self.socket(&mut random)?;
                    sent.senders += 1;
                }
            }
            Ok(sent)
        }

        /// A socket that is connected to the target, so that the kernel looks the route up once.
        fn socket(&self, random: &mut Random) -> io::Result<UdpSocket> {
            let socket = loop {
                if self.forged == 0 {
                    break UdpSocket::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
                }
                let [_, second, third, last, high, low, ..] = random.next().to_be_bytes();
                // Neither the network's own address nor its broadcast address; no port for which the system asks for a privilege.
                let address = Ipv4Addr::new(127, second, third, last.clamp(2, 254));
                let port = u16::from_be_bytes([high, low]).max(1_024);
                match UdpSocket::bind(SocketAddr::new(IpAddr::V4(address), port)) {
                    Ok(socket) => break socket,
                    Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                    Err(error) => return Err(error),
                }
            };
            socket.connect(self.to)?;
            Ok(socket)
        }
    }

    /// xorshift64*: what chance chooses is the same for a seed.
    struct Random(u64);

    impl Random {
        fn next(&mut self) -> u64 {
            self.0 ^= self.0 >> 12;
            self.0 ^= self.0 << 25;
            self.0 ^= self.0 >> 27;
            self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
        }
    }
}

fn main() -> ExitCode {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        let Some(flood) = sender::Flood::from_arguments(std::env::args().skip(1)) else {
            eprintln!(
                "Usage: flood --to ADDRESS:PORT --report FILE [--seconds N] [--size N] [--threads N] [--forged N] [--seed N]"
            );
            return ExitCode::from(2);
        };
        if let Err(error) = flood.run() {
            eprintln!("flood: {error}");
            return ExitCode::FAILURE;
        }
        ExitCode::SUCCESS
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    {
        eprintln!("flood: needs Linux, which sends many datagrams by one system call.");
        ExitCode::FAILURE
    }
}
