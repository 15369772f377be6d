use super::*;
use proxy_shards::preflight::{Nofile, PreflightError};

fn usual(name: &str) -> Option<String> {
    let text = match name {
        "net/ipv4/ip_local_port_range" => "10240\t65535\n",
        "net/core/somaxconn" => "4096\n",
        "net/core/netdev_max_backlog" => "16384\n",
        _ => return None,
    };
    Some(text.into())
}

fn good() -> Host {
    Host {
        sysctl: usual,
        nofile: Nofile {
            soft: 65_536,
            hard: 65_536,
        },
        shards: Ok(()),
        clock: Some(true),
        cpus: 12,
    }
}

/// The finding `name` of a host.
fn of(host: &Host, name: &str) -> Finding {
    let findings = host::look(host, &Config::embedded());
    let found = findings.into_iter().find(|finding| &*finding.name == name);
    found.expect("a finding of that name")
}

#[test]
fn a_tuned_host_is_fine() {
    for finding in host::look(&good(), &Config::embedded()) {
        assert_eq!(
            (finding.state, finding.remedy),
            (State::Ok, None),
            "{}",
            finding.name
        );
    }
}

#[test]
fn each_lack_has_a_remedy() {
    let host = Host {
        nofile: Nofile {
            soft: 1_024,
            hard: 4_096,
        },
        ..good()
    };
    let finding = of(&host, "descriptors");
    assert_eq!(finding.state, State::Warning);
    assert!(
        finding
            .found
            .contains("1667 probes at once for each of 12 shards"),
        "{finding}"
    );
    assert!(
        finding
            .remedy
            .is_some_and(|text| text.contains("LimitNOFILE"))
    );

    let host = Host {
        shards: Err(PreflightError::Kernel {
            found: "5.10.0".into(),
        }),
        clock: Some(false),
        ..good()
    };
    assert_eq!(of(&host, "engine").state, State::Bad);
    assert!(of(&host, "engine").found.contains("5.10.0"));
    assert_eq!(of(&host, "clock").state, State::Warning);
    assert_eq!(
        of(
            &Host {
                clock: None,
                ..good()
            },
            "clock"
        )
        .state,
        State::Unknown
    );
}

#[test]
fn small_tables_of_the_kernel_are_named() {
    let host = Host {
        sysctl: |name| {
            let text = match name {
                "net/ipv4/ip_local_port_range" => "60000 60999",
                "net/core/somaxconn" => "128",
                "net/core/netdev_max_backlog" => "1000",
                "net/netfilter/nf_conntrack_max" => "65536",
                "net/netfilter/nf_conntrack_count" => "12",
                _ => return None,
            };
            Some(text.into())
        },
        ..good()
    };
    for (name, word) in [
        ("ports", "1000 local ports"),
        ("somaxconn", "128"),
        ("backlog", "20000 probes"),
        ("conntrack", "12 of 65536"),
    ] {
        let finding = of(&host, name);
        assert_eq!(finding.state, State::Warning, "{finding}");
        assert!(finding.found.contains(word), "{finding}");
    }
}

#[test]
fn what_cannot_be_read_is_unknown_and_not_fine() {
    let host = Host {
        sysctl: |_| None,
        ..good()
    };
    for name in ["ports", "somaxconn", "backlog"] {
        assert_eq!(of(&host, name).state, State::Unknown, "{name}");
    }
}

#[test]
fn a_webhook_without_its_secret_leaves_no_judge_unasked() {
    let lacks = |place: &str| {
        let (place, text) = (place.to_owned(), "is not set".to_owned());
        is_of_a_judge(&Problem { place, text })
    };
    assert!(lacks("checker.judge.secret_env") && lacks("checker.targets[1].judge.secret_env"));
    assert!(!lacks("alerts.webhooks[0].secret_env") && !lacks("storage.password_env"));
}
