# From measurements to ratios: medians of the rounds, each beside the peer of the same minutes.
def median: sort | if length == 0 then null else .[(length / 2) | floor] end;
def short: if . == null then null elif . >= 100 then (. | round) elif . >= 10 then (. * 10 | round / 10) else (. * 100 | round / 100) end;
def rows($file): .measured[$file] // [];
def of($file; path): [rows($file)[] | path] | median;
# At least so many times the peer's.
def at_least($name; $box; $peer; $unit; $goal):
  if $box == null or $peer == null then empty
  else {name: $name, figure: "\($box | short) \($unit)", beside: "\($peer | short) \($unit)", ratio: ($box / $peer | short),
        goal: ">= \($goal)", met: ($box / $peer >= $goal)} end;
# At most so many times the peer's.
def at_most($name; $box; $peer; $unit; $goal):
  if $box == null or $peer == null then empty
  else {name: $name, figure: "\($box | short) \($unit)", beside: "\($peer | short) \($unit)", ratio: ($box / $peer | short),
        goal: "<= \($goal)", met: ($box / $peer <= $goal)} end;
# Beside what its kind of work costs at least: no goal, but how far the floor is.
def beside($name; $box; $floor; $unit):
  if $box == null or $floor == null then empty
  else {name: $name, figure: "\($box | short) \($unit)", beside: "\($floor | short) \($unit)", ratio: ($box / $floor | short),
        goal: "", met: null} end;
# A bound of its own.
def within($name; $box; $unit; $goal):
  if $box == null then empty
  else {name: $name, figure: "\($box | short) \($unit)", beside: "", ratio: "", goal: "<= \($goal) \($unit)", met: ($box <= $goal)} end;

. as $all
| of("acks.bare"; .commits_per_s) as $commits
| of("acks.bare_grouped"; .rows_per_s) as $grouped
| of("acks.bare"; .fdatasync.p50_ms) as $sync
| of("acks.bare"; .fdatasync.p99_ms) as $sync_p99
| [ at_least("acknowledged/s, 1 sender, to bare commits/s"; of("acks.one"; .messages_per_s); $commits; "/s"; 0.7),
    beside("acknowledged/s, 1 sender, to commits/s of 25 pages"; of("acks.one"; .messages_per_s); of("acks.floor_one"; .commits_per_s); "/s"),
    beside("acknowledged/s, 32 senders, to 32 times 25 pages"; of("acks.many"; .messages_per_s); of("acks.floor_many"; .rows_per_s); "/s"),
    at_least("acknowledged/s, 32 senders, to bare commits/s"; of("acks.many"; .messages_per_s); $commits; "/s"; 0.7),
    at_least("acknowledged/s, 32 senders, to bare rows/s of 32"; of("acks.many"; .messages_per_s); $grouped; "/s"; 0.7),
    at_most("p99, 1 sender, to p99 of one fdatasync"; of("acks.one"; .outside_checkpoints.p99_ms); $sync_p99; "ms"; 3),
    at_most("p99, 1 sender, to p50 of one fdatasync"; of("acks.one"; .outside_checkpoints.p99_ms); $sync; "ms"; 3),
    within("message to request at GHL, p50"; of("latency.box"; .request_at_emulator.p50_ms); "ms"; 50),
    within("message to request at GHL, p95"; of("latency.box"; .request_at_emulator.p95_ms); "ms"; 50),
    at_least("envelopes/s to GHL, to a bare HTTPS client"; of("ghl.box"; .envelopes_per_s); of("ghl.bare"; .requests_per_s); "/s"; 0.5),
    at_least("events/s to the broker, to bare paho"; of("broker.box"; .messages_per_s); of("broker.paho"; .messages_per_s); "/s"; 0.7),
    at_least("events/s to the broker, to mqtt.js and level"; of("broker.box"; .messages_per_s); of("broker.mqttjs"; .messages_per_s); "/s"; 3),
    at_least("messages a minute, intake to GHL, of those asked"; of("sustained.box"; .requests_per_minute); of("sustained.box"; .asked_per_minute); "/min"; 0.98),
    within("lag of the request behind the message, p99"; of("sustained.box"; .lag.p99_ms); "ms"; 1000),
    within("lag of the request behind the message, most"; of("sustained.box"; .lag.most_ms); "ms"; 1000),
    within("resident, idle, clinic-syncd"; (of("footprint.memory"; ."clinic-syncd".rss_kib) | if . then . / 1024 else null end); "MiB"; 15),
    within("resident, idle, clinicd"; (of("footprint.memory"; .clinicd.rss_kib) | if . then . / 1024 else null end); "MiB"; 30),
    within("written in an idle hour, both"; (of("idle_hour.written"; (.clinicd_bytes + .syncd_bytes) / 1048576)); "MiB"; 0.21),
    within("the same, with polling"; (of("idle_polling.written"; (.clinicd_bytes + .syncd_bytes) / 1048576)); "MiB"; 0.21),
    within("exec to READY=1, p50"; of("footprint.start"; .ready.p50_ms); "ms"; 300),
    within("exec to the first acknowledgement, p50"; of("footprint.start"; .first_acknowledgement.p50_ms); "ms"; 300),
    within("backlog: exec to READY=1, p50"; of("backlog.start"; .ready.p50_ms); "ms"; 300),
    within("backlog: a fresh change to its request, p50"; of("backlog.box"; .fresh_at_emulator.p50_ms); "ms"; 5000),
    within("backlog: a fresh change to its request, p95"; of("backlog.box"; .fresh_at_emulator.p95_ms); "ms"; 5000),
    within("backlog: requests refused (429)"; of("backlog.limits"; .refused); "requests"; 0),
    at_least("backlog: requests/s, to what GHL allows"; of("backlog.box"; .requests_per_s); (if of("backlog.box"; .requests_per_s) then 10 else null end); "/s"; 0.8),
    at_most("backlog: resident, after to before, clinicd"; of("backlog.memory_after"; .clinicd.rss_kib); of("backlog.memory_before"; .clinicd.rss_kib); "KiB"; 1.1),
    at_most("backlog: resident, after to before, clinic-syncd"; of("backlog.memory_after"; ."clinic-syncd".rss_kib); of("backlog.memory_before"; ."clinic-syncd".rss_kib); "KiB"; 1.1),
    within("last check of a clean attempt"; of("last_check.cost"; .clean_us); "us"; 1000),
    within("last check of the worst attempt"; of("last_check.cost"; .worst_us); "us"; 1000000) ] as $ratios
| $all + {ratios: $ratios}
