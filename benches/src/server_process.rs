//! `ServerProcess`: a real `hexflight serve` beside this program, on free ports, ended by its id. What it says about itself is
//! read over HTTP and from `/proc`.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};

/// How long a start or an end may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// Pause between looks at a server that is not ready yet.
const LOOK_PAUSE: Duration = Duration::from_millis(2);

/// Ticks of `/proc/PID/stat` per second; fixed in Linux's interface.
const TICKS_PER_SECOND: f64 = 100.0;

/// A running server; killed when dropped.
#[derive(Debug)]
pub(crate) struct ServerProcess {
    child: Child,
    flight_url: String,
    http_address: SocketAddr,
    ready_after: Duration,
}

/// Memory of a process. **Units**: bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Memory {
    /// Resident now.
    pub(crate) resident: u64,
    /// The most that ever was.
    pub(crate) peak: u64,
}

impl ServerProcess {
    /// Starts a server over `data_dir` and waits until it is ready.
    ///
    /// # Errors
    /// There is no binary beside this one, or it ends at once.
    pub(crate) fn start(data_dir: &Path, arguments: &[&str]) -> Result<Self> {
        let http_address = free_address()?;
        let started = Instant::now();
        let mut child = Command::new(binary()?)
            .args(["serve", "--flight-bind", "127.0.0.1:0", "--log", "warn"])
            .args(["--http-bind", &http_address.to_string()])
            .arg("--data-dir")
            .arg(data_dir)
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()?;
        let ready_after = match wait_until_ready(&mut child, http_address, started) {
            Ok(()) => started.elapsed(),
            Err(error) => {
                child.kill()?;
                return Err(error);
            }
        };
        let stdout = child.stdout.take().context("the server's output is not piped")?;
        let mut lines = BufReader::new(stdout).lines();
        let greeting = lines.next().context("the server says nothing")??;
        let flight_url =
            greeting.split_whitespace().last().context("the server does not say where it listens")?;
        let flight_url = flight_url.to_owned();
        // Its further lines must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Ok(Self { child, flight_url, http_address, ready_after })
    }

    /// Where Flight listens.
    pub(crate) fn flight_url(&self) -> &str {
        &self.flight_url
    }

    /// Where HTTP listens.
    pub(crate) fn http_url(&self) -> String {
        format!("http://{}", self.http_address)
    }

    /// From the start of the process to the first 200 of `/health/ready`.
    pub(crate) fn ready_after(&self) -> Duration {
        self.ready_after
    }

    /// The text of `/metrics`.
    ///
    /// # Errors
    /// The server does not answer with 200.
    pub(crate) fn metrics(&self) -> Result<String> {
        let (status, body) = http_get(self.http_address, "/metrics")?;
        ensure!(status == 200, "/metrics answers {status}");
        Ok(body)
    }

    /// Memory as the kernel counts it.
    ///
    /// # Errors
    /// The process is gone.
    pub(crate) fn memory(&self) -> Result<Memory> {
        memory_of(self.child.id())
    }

    /// The process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// CPU time of all its threads so far.
    ///
    /// # Errors
    /// The process is gone.
    pub(crate) fn cpu_time(&self) -> Result<Duration> {
        let text = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // Fields count from the end of the name, which may hold spaces.
        let (_, fields) = text.rsplit_once(')').context("stat has no name")?;
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let ticks: f64 = fields[11].parse::<f64>()? + fields[12].parse::<f64>()?;
        Ok(Duration::from_secs_f64(ticks / TICKS_PER_SECOND))
    }

    /// SIGTERM: it flushes and ends by itself.
    ///
    /// # Errors
    /// It does not end in time, or not with success.
    pub(crate) fn stop(mut self) -> Result<()> {
        let sent = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status()?;
        ensure!(sent.success(), "kill -TERM {} failed", self.child.id());
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            if let Some(status) = self.child.try_wait()? {
                ensure!(status.success(), "the server ended with {status}");
                return Ok(());
            }
            std::thread::sleep(LOOK_PAUSE);
        }
        bail!("the server did not end within {PATIENCE:?}")
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Memory of the process `id`.
///
/// # Errors
/// The process is gone.
pub(crate) fn memory_of(id: u32) -> Result<Memory> {
    let text = fs::read_to_string(format!("/proc/{id}/status"))?;
    let field = |name: &str| -> Result<u64> {
        let line = text.lines().find(|line| line.starts_with(name));
        let kilobytes = line.and_then(|line| line.split_whitespace().nth(1)).context("no such field")?;
        Ok(kilobytes.parse::<u64>()? * 1_024)
    };
    Ok(Memory { resident: field("VmRSS:")?, peak: field("VmHWM:")? })
}

fn binary() -> Result<PathBuf> {
    let binary = std::env::current_exe()?.with_file_name("hexflight");
    ensure!(binary.exists(), "{} is missing: cargo build --release -p hexflight", binary.display());
    Ok(binary)
}

fn wait_until_ready(child: &mut Child, address: SocketAddr, started: Instant) -> Result<()> {
    while started.elapsed() < PATIENCE {
        if let Some(status) = child.try_wait()? {
            bail!("the server ended at its start with {status}");
        }
        if http_get(address, "/health/ready").is_ok_and(|(status, _)| status == 200) {
            return Ok(());
        }
        std::thread::sleep(LOOK_PAUSE);
    }
    bail!("the server is not ready after {PATIENCE:?}")
}

/// A port that was free a moment ago.
fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

fn http_get(address: SocketAddr, path: &str) -> Result<(u16, String)> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("not an HTTP answer")?;
    let status = head.split_whitespace().nth(1).context("no status")?.parse()?;
    Ok((status, body.to_owned()))
}
