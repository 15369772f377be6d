use super::*;
use crate::api::testing::Server;
use std::thread;

fn accepted(id: u64, needs_restart: &[&'static str]) -> Accepted {
    Accepted {
        id,
        needs_restart: needs_restart.to_vec(),
    }
}

/// What the client gets when the other end gives `outcome`.
fn reloaded(outcome: Result<Accepted, String>) -> crate::api::testing::Reply {
    let mut server = Server::start();
    let address = server.address;
    let client = thread::spawn(move || {
        let request = "POST /reload HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        crate::api::testing::send(address, request.as_bytes())
    });
    let request = server.reloads.blocking_recv().unwrap();
    request.reply.unwrap().send(outcome).unwrap();
    client.join().unwrap()
}

#[test]
fn a_reload_answers_with_its_number() {
    let reply = reloaded(Ok(accepted(17, &[])));
    assert_eq!(reply.status, 200);
    let expected = json!({ "message": "Reload triggered", "reload_id": 17 });
    assert_eq!(reply.json(), expected);
}

#[test]
fn what_changed_and_takes_a_restart_is_said() {
    let reply = reloaded(Ok(accepted(2, &["api.addr", "storage.path"])));
    let keys = &reply.json()["needs_restart"];
    assert_eq!(*keys, json!(["api.addr", "storage.path"]));
}

#[test]
fn a_configuration_that_is_not_valid_is_422_with_the_words_of_the_validation() {
    let words = "checker.mode: unknown mode \"full\"\ndid you mean \"full-http\"?";
    reloaded(Err(words.into())).is_refusal(422, words);
}

#[test]
fn a_reload_while_the_service_stops_is_503() {
    let mut server = Server::start();
    server.reloads.close();
    let reply = server.ask("POST", "/reload", "");
    reply.is_refusal(503, "Reload not possible: the service is stopping");
}

#[test]
fn reads_go_on_while_a_reload_waits() {
    let mut server = Server::start();
    let address = server.address;
    let client = thread::spawn(move || {
        let request = "POST /reload HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        crate::api::testing::send(address, request.as_bytes())
    });
    let request = server.reloads.blocking_recv().unwrap();
    assert_eq!(server.get("/stat").status, 200);
    request.reply.unwrap().send(Ok(accepted(1, &[]))).unwrap();
    assert_eq!(client.join().unwrap().status, 200);
}

#[test]
fn a_reload_that_nobody_confirms_is_503_after_its_time() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let (reload, mut reloads) = mpsc::channel(1);
    let within = Duration::from_millis(10);
    let refusal = runtime.block_on(ask(&reload, within)).unwrap_err();
    assert_eq!(refusal, Refusal::ReloadTimeout, "sent, not answered");
    let refusal = runtime.block_on(ask(&reload, within)).unwrap_err();
    assert_eq!(refusal, Refusal::ReloadTimeout, "not even sent");
    assert!(reloads.try_recv().unwrap().reply.unwrap().is_closed());
}
