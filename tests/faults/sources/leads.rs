//! Redirects that go round, on and on, out of the web, to metadata, to this service, and with secrets in
//! them.

use super::server::{Server, reply};
use super::turning::{Bad, World};
use std::sync::{Arc, Mutex};

/// What stands where a secret is.
const SECRET: &str = "TopSecret1";

/// Redirects to what `location` says, of the head of the request.
fn leads(
    name: &'static str,
    says: &'static [&'static str],
    location: impl Fn(&str) -> String + Send + Sync + 'static,
) -> Bad {
    Bad::served(name, says, move |to, head, _| {
        let location = format!("Location: {}\r\n", location(head));
        reply(to, "302 Found", &location, b"")
    })
}

#[test]
fn a_redirect_leads_nowhere_that_a_list_may_not_lead_and_shows_no_secret() {
    let _turn = crate::turn();
    // Where the service's own API will be, and another server.
    let api: Arc<Mutex<String>> = Arc::default();
    let place = || {
        let api = api.clone();
        move |path: &str| format!("http://{}{path}", api.lock().unwrap())
    };
    let (to_reload, to_pool) = (place(), place());
    let elsewhere = Server::start();
    let (plain, guarded) = (elsewhere.address, elsewhere.address);
    let bad = vec![
        leads("round", &["more than 5 redirects"], |_| "/round".to_owned()),
        leads("on_and_on", &["more than 5 redirects"], |head| {
            let asked = head.split(' ').nth(1).unwrap_or_default();
            let step = asked
                .split_once('?')
                .and_then(|(_, n)| n.parse::<u64>().ok());
            format!("/on_and_on?{}", step.unwrap_or(0) + 1)
        }),
        leads(
            "to_a_file",
            &["redirected to file:///etc/passwd, which is neither"],
            |_| "file:///etc/passwd".to_owned(),
        ),
        leads(
            "to_metadata",
            &[
                "redirected to http://169.254.169.254/latest/meta-data/?token=***, where clouds keep",
            ],
            |_| format!("http://169.254.169.254/latest/meta-data/?token={SECRET}"),
        ),
        leads(
            "to_metadata_in_disguise",
            &["where clouds keep their secrets"],
            |_| "http://[::ffff:a9fe:a9fe]/".to_owned(),
        ),
        leads("to_a_reload", &["/reload: answered 405"], move |_| {
            to_reload("/reload")
        }),
        leads("to_our_own_pool", &[], move |_| to_pool("/get-proxy?all=1")),
        leads(
            "out_of_the_web",
            &["redirected to ftp://***@lists.example/l?token=***, which is neither"],
            |_| format!("ftp://me:{SECRET}@lists.example/l?token={SECRET}"),
        ),
        leads(
            "with_credentials",
            &["/guarded?token=***: answered 404"],
            move |_| format!("http://me:{SECRET}@{guarded}/guarded?token={SECRET}"),
        ),
        leads(
            "to_tls_where_there_is_none",
            &["after 1 redirect, at https://"],
            move |_| format!("https://{plain}/"),
        ),
        Bad::served(
            "to_what_is_no_address",
            &["bytes that are no address"],
            |to, _, _| {
                to.write_all(
                    b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: http://\xff\xfe",
                )?;
                to.write_all(SECRET.as_bytes())?;
                to.write_all(b"\r\n\r\n")
            },
        ),
    ];
    let mut world = World::start(bad, |_, _, _, _| None);
    world.service.address.clone_into(&mut api.lock().unwrap());
    let is_silent = |what: &str, text: &str| {
        assert!(!text.contains(SECRET), "a secret in {what}:\n{text}");
    };
    world.server.turn();
    world.withstands("redirects");
    assert!(
        elsewhere.strayed() > 0,
        "the one with credentials was followed"
    );
    for path in ["/stat", "/metrics", "/get-proxy?all=1&format=json"] {
        let (status, body) = world.service.get(path);
        assert_eq!(status, 200, "{path}: {body}");
        is_silent(path, &body);
    }
    let log = world.ends();
    is_silent("the log", &log);
    assert!(
        !log.contains("is in force"),
        "nobody could make it reload:\n{log}"
    );
}
