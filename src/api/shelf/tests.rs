//! What is made once, and for how long it stays.

use super::*;
use crate::api::testing::{many, ungzip};
use crate::snapshot::{Pool, Stat};
use std::time::SystemTime;

const TEXT: Kind = Kind {
    form: Form::Addresses,
    protocol: None,
};

fn shelf(scale_bytes: usize) -> (Shelf, Press) {
    let press = Press::new();
    (Shelf::new(press.clone(), Scale::new(scale_bytes)), press)
}

fn publish(published: &Published, count: u32) -> Arc<Snapshot> {
    let pool = Arc::new(Pool::new(many(count)));
    published.publish(pool, Arc::new(Stat::default()), SystemTime::now(), false);
    published.load()
}

fn snapshot(count: u32) -> Arc<Snapshot> {
    publish(&Published::empty(SystemTime::now()), count)
}

async fn ask(
    shelf: &Shelf,
    kind: Kind,
    wanted: Coding,
    snapshot: &Arc<Snapshot>,
) -> Result<(Coding, Bytes), Refusal> {
    let listed = shelf.listing(kind, snapshot).await?;
    Ok(shelf.coded(listed, wanted).await)
}

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(test);
}

#[test]
fn all_who_ask_share_the_bytes_of_the_first_small_or_large() {
    run(async {
        for count in [10, 5_000] {
            let (shelf, _press) = shelf(1 << 20);
            let snapshot = snapshot(count);
            let get = || ask(&shelf, TEXT, Coding::Plain, &snapshot);
            let (first, second) = tokio::join!(get(), get());
            let third = get().await.unwrap();
            let (first, second) = (first.unwrap(), second.unwrap());
            assert_eq!(first.1, TEXT.render(&snapshot));
            assert_eq!(first.1.as_ptr(), second.1.as_ptr());
            assert_eq!(first.1.as_ptr(), third.1.as_ptr());
        }
    });
}

#[test]
fn another_pool_is_rendered_anew_and_the_old_one_let_go() {
    run(async {
        let (shelf, _press) = shelf(256 << 10);
        let published = Published::empty(SystemTime::now());
        for count in [12_000, 11_000, 12_000] {
            // The scale has room for one of them.
            let snapshot = publish(&published, count);
            let (_, body) = ask(&shelf, TEXT, Coding::Plain, &snapshot).await.unwrap();
            assert!(body.len() > 128 << 10, "{}", body.len());
            assert_eq!(body, TEXT.render(&snapshot));
        }
    });
}

#[test]
fn what_nobody_asks_for_leaves_with_its_pool() {
    run(async {
        let (shelf, _press) = shelf(1 << 20);
        let snapshot = snapshot(20_000);
        let made = shelf.made(TEXT, snapshot.listing);
        ask(&shelf, TEXT, Coding::Plain, &snapshot).await.unwrap();
        shelf.drop_unless(snapshot.listing);
        assert_eq!(Arc::strong_count(&made), 2, "the shelf and this test");
        shelf.drop_unless(snapshot.listing + 1);
        assert_eq!(Arc::strong_count(&made), 1);
    });
}

#[test]
fn without_room_on_the_scale_a_listing_is_refused_and_made_when_there_is_some() {
    run(async {
        let (shelf, _press) = shelf(256 << 10);
        let snapshot = snapshot(12_000);
        let taken = shelf.scale.weigh(vec![0; 200 << 10].into());
        assert!(taken.is_some());
        let refused = ask(&shelf, TEXT, Coding::Plain, &snapshot).await;
        assert_eq!(refused.unwrap_err(), Refusal::Overloaded);
        drop(taken);
        assert!(ask(&shelf, TEXT, Coding::Plain, &snapshot).await.is_ok());
    });
}

#[test]
fn what_is_kept_for_nobody_makes_room_for_what_is_asked_for() {
    run(async {
        let (shelf, _press) = shelf(256 << 10);
        let snapshot = snapshot(12_000);
        let urls = Kind {
            form: Form::Urls,
            protocol: None,
        };
        for kind in [TEXT, urls, TEXT] {
            let listing = ask(&shelf, kind, Coding::Plain, &snapshot).await;
            assert_eq!(listing.unwrap().1, kind.render(&snapshot));
        }
        let own = || shelf.scale.weigh(vec![0; 200 << 10].into());
        assert!(own().is_none());
        assert!(shelf.or_make_room(own).is_some());
    });
}

#[test]
fn the_first_waits_for_gzip_and_the_others_get_it_plain_meanwhile() {
    run(async {
        let (shelf, press) = shelf(1 << 20);
        let snapshot = snapshot(20_000);
        let get = |coding| ask(&shelf, TEXT, coding, &snapshot);
        let (_, plain) = get(Coding::Plain).await.unwrap();
        let busy = press.hold();
        let first = get(Coding::Gzip);
        tokio::pin!(first);
        tokio::select! {
            biased;
            _ = &mut first => panic!("it must wait for the press"),
            other = get(Coding::Gzip) => assert_eq!(other.unwrap().0, Coding::Plain),
        }
        drop(busy);
        let (coding, coded) = first.await.unwrap();
        assert_eq!(coding, Coding::Gzip);
        assert_eq!(ungzip(&coded), plain);
        let again = get(Coding::Gzip).await.unwrap();
        assert_eq!(again.1.as_ptr(), coded.as_ptr());
    });
}

#[test]
fn a_listing_is_made_to_the_end_though_its_client_has_gone() {
    run(async {
        let (shelf, press) = shelf(1 << 20);
        let snapshot = snapshot(20_000);
        let busy = press.hold();
        {
            let gone = ask(&shelf, TEXT, Coding::Plain, &snapshot);
            tokio::pin!(gone);
            tokio::select! {
                biased;
                _ = &mut gone => panic!("it must wait for the press"),
                () = tokio::task::yield_now() => {}
            }
        }
        drop(busy);
        let made = shelf.made(TEXT, snapshot.listing);
        while made.plain.get().is_none() {
            tokio::task::yield_now().await;
        }
    });
}

#[test]
fn small_listings_are_compressed_at_once_and_tiny_ones_never() {
    run(async {
        let (shelf, press) = shelf(1 << 20);
        let _busy = press.hold();
        for (count, expected) in [(10, Coding::Plain), (500, Coding::Gzip)] {
            let snapshot = snapshot(count);
            let shelf = Shelf::new(press.clone(), shelf.scale.clone());
            let (coding, _) = ask(&shelf, TEXT, Coding::Gzip, &snapshot).await.unwrap();
            assert_eq!(coding, expected, "{count}");
        }
    });
}

#[test]
fn the_digest_is_that_of_the_bytes() {
    run(async {
        let (shelf, _press) = shelf(1 << 20);
        let published = Published::empty(SystemTime::now());
        for (count, other) in [(10, 11), (5_000, 5_001)] {
            let mut digests = Vec::new();
            for count in [count, count, other] {
                let snapshot = publish(&published, count);
                digests.push(shelf.listing(TEXT, &snapshot).await.unwrap().digest);
            }
            assert_eq!(digests[0], digests[1]);
            assert_ne!(digests[0], digests[2]);
        }
    });
}
