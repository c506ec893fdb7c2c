# One message of mosquitto_sub (-F %J) in; out [what it is, true where it is what docs/mqtt.md says].
def exactly($names): (keys | sort) == ($names | sort);
def count: type == "number" and . >= 0 and . == floor;
def band: IN("0", "lt11", "11_25", "26_50", "51_100", "101_250", "gt250");
def headed($of): exactly(["v", "msg_id", "box", "session", "seq", "ts", "sent_ts", "type", "data"])
    and .v == 1 and ([.msg_id, .box] | all(type == "string" and . != "")) and .type == $of and (.session | count) and (.seq | count) and (.ts | count) and (.sent_ts | count);
def feed: exactly(["state", "received", "stored", "quarantined", "refused", "duplicate"])
    and (.state | IN("up", "stale", "off")) and ([.received, .stored, .quarantined, .refused, .duplicate] | all(band));
def metrics: exactly(["mode", "uptime_s", "version", "basis", "queue", "oldest", "dead", "disk_free_percent", "clock_trusted",
        "kernel_clock", "contained", "chain", "crm", "crm_code", "feeds"])
    and (.mode | IN("running", "locked", "damaged", "full", "clock-untrusted", "restoring", "draining"))
    and (.basis | IN("off", "deid", "authorized", "baa", "consumer_consent")) and (.version | test("^\\d+\\.\\d+\\.\\d+$"))
    and (.oldest | IN("lt1m", "lt15m", "lt1h", "lt1d", "ge1d")) and (.chain | IN("ok", "broken"))
    and (.crm | IN("up", "paused", "down")) and (.crm_code | test("^[a-z0-9_]{0,32}$"))
    and ([.clock_trusted, .kernel_clock, .contained] | all(type == "boolean")) and (.feeds | exactly(["mllp", "csv"]))
    and (.uptime_s | count) and (.queue | count) and (.dead | band) and (.disk_free_percent % 5 == 0) and (.feeds | map(feed) | all);

.topic as $topic | .payload |
if $topic | endswith("/state") then ["state \(.reason)",
    (exactly(["v", "box", "online", "session", "reason"]) and .v == 1 and (.session | count)
     and (.online == (.reason == "connected")) and (.reason | IN("connected", "shutdown", "lwt")))]
elif $topic | endswith("/up/v1/metrics") then ["metrics", (headed("metrics") and (.data | metrics))]
elif $topic | endswith("/up/v1/event") then ["event", (headed("event") and (.data | exactly(["number", "code", "severity"])
     and (.number | count) and (.code | test("^E\\d{4}$")) and (.severity | IN("info", "warn", "error", "critical"))))]
else [$topic, false] end
