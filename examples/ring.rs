//! Stage one: processes in a circle pass a message round.
//!
//! ```console
//! $ cargo run --example ring -- 5 10
//! ```

use std::{
    cell::{Cell, RefCell},
    fmt::Display,
    io::{self, BufWriter, Write},
    num::NonZeroU32,
    process::ExitCode,
    rc::Rc,
    time::{Duration, Instant},
};

use actix::System;
use anyhow::Context;
use clap::{Parser, ValueEnum};
use roundelay::ring::{Direction, Event, Name, Ring, Settings};
use tokio::sync::Notify;

/// Two million linked processes are about 2.5 GB.
const MAX_ACTORS: u32 = 2_000_000;
const MAX_RELAYS: u32 = 1_000_000_000;
const MAX_TOKENS: u32 = 1_000_000;
const MAX_DELAY_MS: u32 = 3_600_000;

/// A ring of actors that pass a message from neighbour to neighbour.
#[derive(Parser)]
#[command(allow_negative_numbers = true)]
struct Options {
    /// How many actors form the ring
    #[arg(value_parser = |text: &str| number(text, 1, MAX_ACTORS))]
    actors: u32,
    /// After how many relays a message is dropped
    #[arg(value_parser = |text: &str| number(text, 0, MAX_RELAYS))]
    relays: u32,
    /// Which way the messages go
    #[arg(long, value_enum, default_value_t = Way::AntiClockwise)]
    direction: Way,
    /// What they say
    #[arg(long, default_value = "Hi")]
    message: String,
    /// How long an actor sleeps before each relay, in milliseconds
    #[arg(long, default_value = "0", value_parser = |text: &str| number(text, 0, MAX_DELAY_MS))]
    delay_ms: u32,
    /// How many messages are in flight (with `both`: each way)
    #[arg(long, default_value = "1", value_parser = |text: &str| number(text, 1, MAX_TOKENS))]
    tokens: u32,
    /// Print figures instead of what happens
    #[arg(long)]
    quiet: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Way {
    Clockwise,
    #[value(alias = "anti_clockwise")]
    AntiClockwise,
    Both,
}

impl Way {
    fn directions(self) -> &'static [Direction] {
        match self {
            Self::Clockwise => &[Direction::Clockwise],
            Self::AntiClockwise => &[Direction::AntiClockwise],
            Self::Both => &[Direction::AntiClockwise, Direction::Clockwise],
        }
    }
}

fn number(text: &str, least: u32, most: u32) -> Result<u32, String> {
    match text.parse::<u32>() {
        Ok(n) if (least..=most).contains(&n) => Ok(n),
        _ => Err(format!("give a whole number from {least} to {most}")),
    }
}

fn main() -> ExitCode {
    let options = Options::parse();
    // With delays the ring runs on a paused clock, which jumps to whatever is due next; the printer
    // below lets real time catch up. So two actors that wake in the same moment always wake in the
    // same order, however busy the machine is.
    let paused = options.delay_ms > 0;
    let runtime = move || {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(paused)
            .build()
            .expect("a runtime without sockets needs nothing that could be missing")
    };
    match System::with_tokio_rt(runtime).block_on(run(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: &Options) -> anyhow::Result<()> {
    let screen = Rc::new(Screen::new(options.delay_ms > 0));
    let drops = Rc::new(Drops::default());
    let actors = NonZeroU32::new(options.actors).context("a ring needs at least one actor")?;

    let before = Figures::now();
    let ring = Ring::start(actors, settings(options, &screen, &drops));
    ring.link_all()?;
    // A message without relays is dropped where it arrives; this one arrives behind all the linking.
    drops.hidden.set(true);
    ring.send_cw(Name(options.actors), "", 0)?;
    drops.wait_for(1).await;
    drops.hidden.set(false);
    let linked = Figures::now();

    let mut sent = 0;
    for _ in 0..options.tokens {
        for &direction in options.direction.directions() {
            let (message, limit) = (&options.message, options.relays);
            let relay = match direction {
                Direction::Clockwise => ring.send_cw(Name(1), message, limit)?,
                Direction::AntiClockwise => ring.send_anti_cw(Name(1), message, limit)?,
            };
            if !options.quiet {
                screen.say(relay);
            }
            sent += 1;
        }
    }
    drops.wait_for(sent).await;

    if options.quiet {
        let hops = sent * u64::from(options.relays);
        screen.say(linked.since(&before, u64::from(options.actors)));
        screen.say(format_args!("hops: {hops}"));
        let took = linked.time.elapsed().as_nanos();
        match took.checked_div(u128::from(hops)) {
            Some(each) => screen.say(format_args!("ns per hop: {each}")),
            None => screen.say("ns per hop: none was made"),
        }
    }
    screen.flush();
    Ok(())
}

fn settings(options: &Options, screen: &Rc<Screen>, drops: &Rc<Drops>) -> Settings {
    let (screen, drops, quiet) = (Rc::clone(screen), Rc::clone(drops), options.quiet);
    Settings {
        delay: Duration::from_millis(options.delay_ms.into()),
        watch: Box::new(move |event| {
            if !quiet && !drops.hidden.get() {
                screen.say(event);
            }
            match event {
                Event::Dropping(..) => drops.add_one(),
                Event::Linking(..) | Event::Relaying(..) => {}
            }
        }),
    }
}

/// How many messages were dropped, for the one who waits until all are.
#[derive(Default)]
struct Drops {
    hidden: Cell<bool>,
    count: Cell<u64>,
    changed: Notify,
}

impl Drops {
    fn add_one(&self) {
        self.count.set(self.count.get() + 1);
        self.changed.notify_one();
    }

    async fn wait_for(&self, expected: u64) {
        while self.count.get() < expected {
            self.changed.notified().await;
        }
        self.count.set(0);
    }
}

/// Standard output, in order and at the pace of the ring's clock.
struct Screen {
    out: RefCell<BufWriter<io::Stdout>>,
    /// If the ring's clock is the paused one: when it started, by that clock and by the real one.
    started: Option<(tokio::time::Instant, Instant)>,
}

impl Screen {
    fn new(paced: bool) -> Self {
        Self {
            out: RefCell::new(BufWriter::new(io::stdout())),
            started: paced.then(|| (tokio::time::Instant::now(), Figures::now().time)),
        }
    }

    fn say(&self, line: impl Display) {
        if let Some((virtually, really)) = self.started {
            self.flush();
            std::thread::sleep(virtually.elapsed().saturating_sub(really.elapsed()));
        }
        let written = writeln!(self.out.borrow_mut(), "{line}");
        Self::check(written);
    }

    fn flush(&self) {
        let flushed = self.out.borrow_mut().flush();
        Self::check(flushed);
    }

    /// Ends the program when nobody reads it any more: at once, and without complaint if that was
    /// the reader's wish, as in `ring 5 1000 | head -3`.
    fn check(result: io::Result<()>) {
        match result {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
            Err(error) => {
                eprintln!("error: cannot write to standard output: {error}");
                std::process::exit(1);
            }
        }
    }
}

/// What a moment looked like.
struct Figures {
    time: Instant,
    /// Memory of this process that is in use; none where there is no `/proc/self/status`.
    bytes: Option<u64>,
}

impl Figures {
    #[allow(
        clippy::disallowed_methods,
        reason = "measuring is about the real clock"
    )]
    fn now() -> Self {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        Self {
            bytes: kib.map(|kib| kib * 1024),
            time: Instant::now(),
        }
    }

    /// The figures of starting and linking `actors` actors, one a line.
    fn since(&self, before: &Self, actors: u64) -> String {
        let nanos = (self.time - before.time).as_nanos() / u128::from(actors);
        let bytes = match (before.bytes, self.bytes) {
            (Some(less), Some(more)) => (more.saturating_sub(less) / actors).to_string(),
            _ => "unknown (there is no /proc/self/status here)".into(),
        };
        format!("actors: {actors}\nns to start and link one: {nanos}\nbytes per actor: {bytes}")
    }
}
