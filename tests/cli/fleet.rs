//! Several devices from the command line.

use serde_json::Value;

use crate::support::{ffm, folder, json, tiny_args};

#[test]
fn a_run_says_and_records_all_its_devices() {
    let dir = folder();
    let ran = ffm(dir.path(), &tiny_args(&["--device", "cpu,0", "--threads", "1"], &["--json"])).done();
    for line in ["device 1 of 2: ", "device 2 of 2: "] {
        assert!(ran.stderr.contains(line), "{}", ran.stderr);
    }
    assert_eq!(ran.json()["engine"], "fleet");
    assert!(ran.json()["device"].as_str().expect("a text").starts_with("2 x "), "{}", ran.stdout);
    let recorded = json(&dir.path().join("run/env.json"))["devices"].clone();
    let recorded: Vec<_> = recorded.as_array().expect("devices").iter().map(Value::to_string).collect();
    assert_eq!(recorded.len(), 2);
    assert!(recorded.iter().all(|d| d.contains("cpu engine, f32, 1 threads")), "{recorded:?}");
    // The report is about the fleet, too.
    let report = std::fs::read_to_string(dir.path().join("run/report.html")).expect("a report");
    assert!(report.contains("2 x "));
}

#[test]
fn a_dry_run_shows_the_memory_of_every_device() {
    let dir = folder();
    let dry = |device: &str| {
        let args = tiny_args(&["--device", device, "--threads", "1"], &["--dry-run", "--json"]);
        ffm(dir.path(), &args).done()
    };
    let (one, two) = (dry("cpu"), dry("cpu,cpu"));
    let lines = |text: &str| text.lines().filter(|l| l.starts_with("# memory ")).count();
    assert_eq!((lines(&one.stdout), lines(&two.stdout)), (1, 2));
    let of = |ran: &Value| -> Vec<u64> {
        let list = ran["memory_bytes_by_device"].as_array().expect("a list");
        list.iter().map(|b| b.as_u64().expect("bytes")).collect()
    };
    let (whole, shares) = (of(&one.json()), of(&two.json()));
    assert_eq!(shares[0], shares[1]);
    // Half a batch of 16 needs half the gradient sums.
    assert!(shares[0] < whole[0], "{shares:?} for {whole:?}");
    assert_eq!(two.json()["memory_bytes"], shares[0] + shares[1]);
}

#[test]
fn a_list_that_does_not_name_its_devices_is_refused() {
    let dir = folder();
    let train = |device: &str| ffm(dir.path(), &tiny_args(&["--device", device], &[]));
    train("cpu,auto").fails(4, &["\"cpu,auto\"", "a list names its devices"]);
    train("cpu,no such card").fails(4, &["no such card"]);
    assert!(!dir.path().join("run").exists());
}
