//! A service that is one of several nodes, over a bus that has no other.

use super::*;
use crate::cluster::{Link, News, NodeStat, Order};
use crate::config::Cluster;
use crate::ledger::Entry;
use crate::store::{self, keeper::Kept};
use proxy_shards::{Job, Verdict};

/// A bus on which this node leads from the start, and a worker without lanes but the engine's.
fn alone(
    cluster: &Cluster,
    engine: Engine,
    _: &Arc<Config>,
    _: &Image,
    mut told: node::Told,
) -> Result<Link, ServeError> {
    let (orders, ordered) = unbounded();
    let (to, news) = unbounded();
    let stat = NodeStat {
        name: cluster.node.clone(),
        leads: true,
        lanes: (engine.lanes_per_shard() * engine.shards()) as u64,
        ..NodeStat::default()
    };
    for first in [News::Leads { token: 1 }, News::Nodes(vec![stat])] {
        to.send(first).unwrap();
    }
    let (stop, stopped) = bounded::<()>(0);
    let submit = |engine: &Engine, jobs: Vec<Job>| {
        for job in jobs {
            engine.submit(engine.shard_of(job.address), vec![job]);
        }
    };
    let worker = thread::spawn(move || {
        loop {
            select! {
                recv(ordered) -> order => match order {
                    Ok(Order::Jobs(jobs)) => submit(&engine, jobs),
                    Ok(Order::Control(job)) => engine.control(0, job),
                    Ok(Order::Checkpoint(image)) => told(Kept::Saved(Ok(image.saved_at_ms))),
                    Ok(_) => {}
                    Err(_) => break,
                },
                recv(engine.reports()) -> report => {
                    let mut report = report.unwrap();
                    report.shard = 0;
                    // The coordinator ends before the worker does.
                    let _ = to.send(News::Report(Box::new(report)));
                }
                recv(stopped) -> _ => break,
            }
        }
        drop(engine.stop(Duration::from_secs(1)));
    });
    Ok(Link {
        orders,
        news,
        configure: Box::new(|_| ()),
        stop: Box::new(move |_| {
            drop(stop);
            worker.join().unwrap();
        }),
    })
}

fn start(world: &World, connect: node::Connect) -> Result<Running, ServeError> {
    let path = world.place().file().unwrap().to_owned();
    let text = fs::read_to_string(&path).unwrap();
    let mut config: serde_json::Value = serde_json::from_str(&text).unwrap();
    config["cluster"] = json!({ "redis_url": "127.0.0.1:1", "node": "one" });
    fs::write(&path, config.to_string()).unwrap();
    let (config, _) = world.place().load().unwrap();
    let plan = reload::plan(config).unwrap();
    let service = Service::start_over(world.place(), plan, connect)?;
    let (orders, obeyed) = unbounded();
    Ok(Running {
        address: service.address,
        orders,
        thread: thread::spawn(move || service.run(&obeyed)),
    })
}

#[test]
fn a_node_serves_what_works_saves_it_for_itself_and_reloads() {
    let world = World::new();
    world.configure("127.0.0.1:0", &[world.list(Behaviour::Forwards, 20)]);
    let running = start(&world, alone).unwrap();
    running.serves(20);
    world.configure("127.0.0.1:0", &[world.list(Behaviour::Socks5, 7)]);
    let (status, body) = running.ask("POST", "/reload");
    assert_eq!(
        (status, body.contains("\"reload_id\":2")),
        (200, true),
        "{body}"
    );
    running.serves(27); // what is alive stays until it fails
    running.stop();
    let (config, _) = world.place().load().unwrap();
    let image = store::open(&config.storage.backend)
        .unwrap()
        .load()
        .unwrap();
    let is_alive = |entry: &Entry| entry.verdict == Some(Verdict::Alive);
    assert_eq!(image.entries.iter().filter(is_alive).count(), 27);
}
