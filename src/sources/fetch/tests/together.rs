//! Many sources at once.

use super::*;

#[tokio::test]
async fn a_source_that_hangs_does_not_hold_up_the_others() {
    let address = serve(|request, stream| match &request.path[..] {
        "/hang" => hang(stream),
        _ => reply(stream, "200 OK", "", b"1.2.3.4:80"),
    });
    let fetcher = Fetcher::new(&aggregator()).unwrap();
    let sources = [
        web(address, "/hang"),
        web(address, "/"),
        file("/nonexistent/list"),
    ];
    let (sender, mut results) = mpsc::channel(1);
    let all = tokio::spawn(async move { fetcher.fetch_all(&sources, sender).await });
    let mut arrived = Vec::new();
    for _ in 0..2 {
        let (place, result) = results.recv().await.unwrap();
        arrived.push((place, told(result).is_ok()));
    }
    arrived.sort();
    assert_eq!(arrived, [(1, true), (2, false)]);
    assert!(!all.is_finished());
    all.abort();
}

#[tokio::test]
async fn more_sources_than_fit_side_by_side_all_report_once() {
    let address =
        serve(|request, stream| reply(stream, "200 OK", "", &request.path.as_bytes()[1..]));
    let sources: Vec<Source> = (0..3 * SIDE_BY_SIDE_MAX)
        .map(|n| web(address, &format!("/1.2.3.{n}:80")))
        .collect();
    let fetcher = Fetcher::new(&aggregator()).unwrap();
    let (sender, mut results) = mpsc::channel(1);
    let collect = async {
        let mut found = Vec::new();
        while let Some((place, result)) = results.recv().await {
            assert_eq!(told(result), listed(&[&format!("auto://1.2.3.{place}:80")]));
            found.push(place);
        }
        found
    };
    let ((), mut found) = tokio::join!(fetcher.fetch_all(&sources, sender), collect);
    found.sort_unstable();
    assert_eq!(found, (0..sources.len()).collect::<Vec<_>>());
}

#[tokio::test]
async fn fetching_ends_when_nobody_listens() {
    let address = serve(|request, stream| match &request.path[..] {
        "/hang" => hang(stream),
        _ => reply(stream, "200 OK", "", b"1.2.3.4:80"),
    });
    let fetcher = Fetcher::new(&aggregator()).unwrap();
    let (sender, results) = mpsc::channel(1);
    drop(results);
    let sources = [web(address, "/hang"), web(address, "/")];
    let all = fetcher.fetch_all(&sources, sender);
    let ended = timeout(Duration::from_secs(5), all).await; // half the time limit of `/hang`
    assert!(ended.is_ok());
}
