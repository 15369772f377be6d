//! The driver of the browser: its process, what it is asked for, and its own commands.

use fantoccini::wd::{Capabilities, WebDriverCompatibleCommand};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;

/// The driver's process, and those of the browser that it started.
pub(crate) struct Driver(Child);

impl Driver {
    /// Starts it; the port is one that was free.
    pub(crate) fn start() -> (Driver, u16) {
        let mut driver = Command::new("chromedriver");
        driver.args(["--port=0"]).stdin(Stdio::null());
        driver
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0);
        let mut driver = driver
            .spawn()
            .expect("chromedriver starts: see scripts/browser.sh");
        let out = BufReader::new(driver.stdout.take().expect("piped"));
        let driver = Driver(driver);
        let mut lines = out.lines().map_while(Result::ok);
        let port = lines.find_map(|line| {
            let (_, port) = line.split_once("started successfully on port ")?;
            port.trim_end_matches('.').parse::<u16>().ok()
        });
        let port = port.expect("the driver says where it listens");
        // What else it says must not fill the pipe.
        thread::spawn(move || lines.for_each(drop));
        (driver, port)
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // It leads a group of its own: a browser that outlives a test that failed ends with it.
        let group = format!("-{}", self.0.id());
        let ended = Command::new("kill")
            .args(["-s", "KILL", "--", &group])
            .status();
        ended.ok();
        self.0.wait().ok();
    }
}

/// A command of the driver that WebDriver itself does not have.
#[derive(Debug)]
pub(crate) struct Own {
    pub(crate) path: &'static str,
    pub(crate) body: Value,
}

impl WebDriverCompatibleCommand for Own {
    fn endpoint(
        &self,
        base: &url::Url,
        session: Option<&str>,
    ) -> Result<url::Url, url::ParseError> {
        base.join(&format!(
            "session/{}/{}",
            session.expect("a session"),
            self.path
        ))
    }

    fn method_and_body(&self, _: &url::Url) -> (axum::http::Method, Option<String>) {
        (axum::http::Method::POST, Some(self.body.to_string()))
    }
}

/// A headless browser that keeps everything in `folder`, and its console for us.
pub(crate) fn capabilities(folder: &Path) -> Capabilities {
    let profile = format!("--user-data-dir={}", folder.join("profile").display());
    let arguments = [
        "--headless=new",
        "--no-sandbox", // builds run as root, where Chromium wants none
        "--disable-dev-shm-usage",
        "--disable-gpu",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        &profile,
    ];
    let wanted = json!({
        "browserName": "chrome",
        "goog:loggingPrefs": {"browser": "ALL"},
        "goog:chromeOptions": {"args": arguments},
        "unhandledPromptBehavior": "ignore", // an alert would be one of somebody's script
    });
    match wanted {
        Value::Object(map) => map,
        _ => unreachable!("it is an object"),
    }
}
