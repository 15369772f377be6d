//! A headless Chromium behind its driver; both end with the value.

use crate::driver::{Driver, Own, capabilities};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use fantoccini::{Client, ClientBuilder, Locator};
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// Longest wait for anything that the page does by itself.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A browser with one window.
pub(crate) struct Browser {
    runtime: Runtime,
    client: Client,
    driver: Driver,
    folder: TempDir,
}

impl Browser {
    /// Of a usual size, and with a folder for downloads.
    pub(crate) fn start() -> Browser {
        let folder = tempfile::tempdir().unwrap();
        let (driver, port) = Driver::start();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let mut builder =
            ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new());
        builder.capabilities(capabilities(folder.path()));
        let address = format!("http://127.0.0.1:{port}");
        let client = builder.connect(&address);
        let client = runtime.block_on(client).expect("the browser starts");
        let browser = Browser {
            runtime,
            client,
            driver,
            folder,
        };
        browser.devtools(
            "Browser.setDownloadBehavior",
            json!({"behavior": "allow", "downloadPath": browser.folder.path()}),
        );
        browser.look(1200, 900, "light");
        browser
    }

    pub(crate) fn open(&self, url: &str) {
        self.runtime.block_on(self.client.goto(url)).unwrap();
    }

    pub(crate) fn reload(&self) {
        self.runtime.block_on(self.client.refresh()).unwrap();
    }

    pub(crate) fn url(&self) -> String {
        self.runtime
            .block_on(self.client.current_url())
            .unwrap()
            .into()
    }

    /// Another tab, which is looked at from now on.
    pub(crate) fn open_tab(&self) {
        let change = async {
            let tab = self.client.new_window(true).await?;
            self.client.switch_to_window(tab.handle).await
        };
        self.runtime.block_on(change).unwrap();
    }

    /// What this script returns; it runs beside the page's own.
    pub(crate) fn run(&self, script: &str) -> Value {
        let ran = self.client.execute(script, Vec::new());
        self.runtime
            .block_on(ran)
            .unwrap_or_else(|e| panic!("{script}: {e}"))
    }

    /// The same of a script that ends by calling `done`.
    pub(crate) fn run_async(&self, script: &str) -> Value {
        let script = format!("const done = arguments[arguments.length - 1]; {script}");
        let ran = self.client.execute_async(&script, Vec::new());
        self.runtime
            .block_on(ran)
            .unwrap_or_else(|e| panic!("{script}: {e}"))
    }

    /// The text of an element, as it is in the document.
    pub(crate) fn text(&self, selector: &str) -> String {
        let found = self.run(&format!(
            "return document.querySelector({})?.textContent ?? null",
            json!(selector)
        ));
        found
            .as_str()
            .unwrap_or_else(|| panic!("no {selector}"))
            .to_owned()
    }

    pub(crate) fn texts(&self, selector: &str) -> Vec<String> {
        let all = self.run(&format!(
            "return [...document.querySelectorAll({})].map((e) => e.textContent)",
            json!(selector)
        ));
        serde_json::from_value(all).unwrap()
    }

    pub(crate) fn is_shown(&self, selector: &str) -> bool {
        let shown = self.run(&format!(
            "return document.querySelector({}).checkVisibility()",
            json!(selector)
        ));
        shown.as_bool().unwrap()
    }

    /// Clicks as a mouse does: what is covered cannot be clicked.
    pub(crate) fn click(&self, selector: &str) {
        let click = async {
            self.client
                .find(Locator::Css(selector))
                .await?
                .click()
                .await
        };
        self.runtime
            .block_on(click)
            .unwrap_or_else(|e| panic!("{selector}: {e}"));
    }

    pub(crate) fn type_into(&self, selector: &str, text: &str) {
        let typed = async {
            let element = self.client.find(Locator::Css(selector)).await?;
            element.clear().await?;
            element.send_keys(text).await
        };
        self.runtime
            .block_on(typed)
            .unwrap_or_else(|e| panic!("{selector}: {e}"));
    }

    /// Waits until this expression is true in the page.
    pub(crate) fn wait_for(&self, expression: &str) {
        let until = Instant::now() + PATIENCE;
        while self.run(&format!("return Boolean({expression})")) != json!(true) {
            let text = || self.text("body");
            assert!(
                Instant::now() < until,
                "not within {PATIENCE:?}: {expression}\n{}",
                text()
            );
            thread::park_timeout(Duration::from_millis(50));
        }
    }

    /// A window of this size, whose user prefers light or dark.
    pub(crate) fn look(&self, width: u32, height: u32, colours: &str) {
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600});
        self.devtools("Emulation.setDeviceMetricsOverride", size);
        let features = json!([{"name": "prefers-color-scheme", "value": colours}]);
        self.devtools(
            "Emulation.setEmulatedMedia",
            json!({ "features": features }),
        );
    }

    /// Runs this script in every document to come, before its own.
    pub(crate) fn prepare(&self, script: &str) {
        self.devtools(
            "Page.addScriptToEvaluateOnNewDocument",
            json!({ "source": script }),
        );
    }

    pub(crate) fn devtools(&self, command: &str, params: Value) -> Value {
        self.own(
            "goog/cdp/execute",
            json!({"cmd": command, "params": params}),
        )
    }

    fn own(&self, path: &'static str, body: Value) -> Value {
        let told = self.client.issue_cmd(Own { path, body });
        self.runtime.block_on(told).unwrap()
    }

    /// A downloaded file, once it is whole.
    pub(crate) fn downloaded(&self, name: &str) -> String {
        let path: PathBuf = self.folder.path().join(name);
        let until = Instant::now() + PATIENCE;
        while !path.exists() {
            assert!(Instant::now() < until, "{name} is not downloaded");
            thread::park_timeout(Duration::from_millis(50));
        }
        fs::read_to_string(path).unwrap()
    }

    /// The upper left of the page, a little smaller than it is, as a PNG.
    pub(crate) fn picture(&self, width: u32, height: f64) -> Vec<u8> {
        let clip = json!({"x": 0, "y": 0, "width": width, "height": height, "scale": 0.8});
        let taken = self.devtools(
            "Page.captureScreenshot",
            json!({"format": "png", "clip": clip}),
        );
        let text = taken["data"].as_str().expect("a picture");
        BASE64_STANDARD.decode(text).unwrap()
    }

    /// What its console says of a policy that stopped something, or of a script that failed.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let log = self.own("se/log", json!({"type": "browser"}));
        let entries = log.as_array().expect("a list");
        let messages = entries.iter().filter_map(|entry| entry["message"].as_str());
        let is_complaint = |message: &&str| {
            let words = ["Content Security Policy", "Uncaught", "Trusted"];
            words.iter().any(|word| message.contains(word))
        };
        messages.filter(is_complaint).map(String::from).collect()
    }

    /// Ends it; it has nothing to complain of.
    pub(crate) fn close(self) {
        assert_eq!(self.complaints(), [""; 0]);
        self.runtime.block_on(self.client.close()).unwrap();
        drop(self.driver);
    }
}
