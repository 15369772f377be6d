//! `docs/api.md`: its examples say what they expect, and its clients are the files beside it.
//! `make test-api` runs both.

use std::fs;
use std::path::Path;

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs")
}

fn page() -> String {
    fs::read_to_string(folder().join("api.md")).unwrap()
}

#[test]
fn the_clients_in_the_text_are_the_files() {
    let page = page();
    let mut files = 0;
    for file in fs::read_dir(folder().join("clients")).unwrap() {
        let path = file.unwrap().path();
        if path.is_dir() {
            continue;
        }
        let name = path.file_name().unwrap().to_str().unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let language = if name.ends_with(".py") {
            "python"
        } else {
            "shell"
        };
        let block = format!("\n```{language}\n{text}```\n");
        assert!(
            page.contains(&block),
            "{name} is not in docs/api.md as it is"
        );
        assert!(page.contains(&format!("(clients/{name})")), "{name}");
        files += 1;
    }
    assert!(files >= 3, "{files}");
}

/// Whether what stands behind the last ` # ` begins with a status.
fn expects_a_status(line: &str) -> bool {
    let comment = line.rsplit_once(" # ").map_or("", |(_, comment)| comment);
    let digits = comment.bytes().take_while(u8::is_ascii_digit).count();
    digits == 3
}

#[test]
fn every_example_says_which_status_it_expects() {
    let page = page();
    let blocks = page.split("\n```sh\n").skip(1);
    let examples: Vec<&str> = blocks
        .flat_map(|block| block.split("\n```").next().unwrap().lines())
        .filter(|line| line.contains("curl "))
        .collect();
    assert!(examples.len() > 40, "{}", examples.len());
    for example in &examples {
        assert!(expects_a_status(example), "{example}");
    }
    // All that a client meets is shown once; 429 and 500 are not of one request's making.
    for status in [200, 400, 401, 404, 405, 408, 413, 422, 431, 503] {
        let shown = format!(" # {status}");
        assert!(
            examples.iter().any(|line| line.contains(&shown)),
            "{status}"
        );
    }
}
