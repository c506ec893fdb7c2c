# From runs to ratios of medians. A peer that read or wrote something else than the others has not done the same work.
def median: sort | .[(length / 2) | floor];
def short: if . == null then null else (. * 1000 | round / 1000) end;
def goals: {bulk: 1.2, commit: 1.4, point: 1.3, range: 1.9, scan: 1.9};
def by_peer(f): group_by(.peer) | map({key: .[0].peer, value: map(f)}) | from_entries;
def over($ours; $peer): if .[$ours] and .[$peer] then (.[$ours] / .[$peer] | short) else null end;
def over($peer): over("ours"; $peer);
def row:
  .[0].workload as $workload | .[0].sync as $sync
  | if (map(.digest) | unique | length) > 1 then error("\($workload) \($sync): the peers' results differ") else . end
  | by_peer(.wall_s) as $rounds | ($rounds | map_values(median)) as $wall | (by_peer(.cpu_s) | map_values(median)) as $cpu
  | {workload: $workload, sync: $sync,
     ours_over_plain: ($wall | over("plain")), ours_over_sqlcipher: ($wall | over("sqlcipher")),
     ours_over_mc: ($wall | over("mc_aegis")), ours_over_mc_chacha20: ($wall | over("mc_chacha20")),
     xchacha20_over_plain: ($wall | over("ours_xchacha20"; "plain")),
     cpu: {ours_over_plain: ($cpu | over("plain")), ours_over_sqlcipher: ($cpu | over("sqlcipher")),
           ours_over_mc: ($cpu | over("mc_aegis")), ours_over_mc_chacha20: ($cpu | over("mc_chacha20")),
           xchacha20_over_plain: ($cpu | over("ours_xchacha20"; "plain"))},
     goal: goals[$workload], steps: .[0].steps, digest: .[0].digest,
     median_wall_s: $wall, median_cpu_s: $cpu, rounds_wall_s: $rounds, rounds_cpu_s: by_peer(.cpu_s),
     file_bytes: (by_peer(.file_bytes) | map_values(median))}
  | .missed = [ (if .goal and .ours_over_plain > .goal then "plain" else empty end),
                (if .ours_over_sqlcipher and .ours_over_sqlcipher >= 1 then "SQLCipher" else empty end),
                (if .ours_over_mc and .ours_over_mc >= 1 then "MC" else empty end) ];

# What a store of many sealing sessions takes, of what one of one session does.
def by_sessions(f): group_by(.sessions) | map({key: (.[0].sessions | tostring), value: map(f)}) | from_entries;
def session_rows:
  .[0].workload as $workload
  | if (map(.digest) | unique | length) > 1 then error("\($workload): the stores of sessions differ") else . end
  | by_sessions(.wall_s) as $wall | by_sessions(.cpu_s) as $cpu
  | map(.sessions) | unique[] | . as $sessions | ($sessions | tostring) as $key
  | {workload: $workload, sessions: $sessions,
     over_one: (($wall[$key] | median) / ($wall["1"] | median) | short),
     cpu: {over_one: (($cpu[$key] | median) / ($cpu["1"] | median) | short)},
     median_wall_s: ($wall[$key] | median), median_cpu_s: ($cpu[$key] | median),
     rounds_wall_s: $wall[$key], rounds_cpu_s: $cpu[$key]};

. as $runs
| def rows_of($workloads): [ $workloads[] as $workload | ("NORMAL", "FULL") as $sync
    | $runs | map(select(.workload == $workload and .sync == $sync)) | select(length > 0) | row ];
  {at: (now | todate), commit: $commit, processors: ($processors | tonumber), file_system: $disk, load_before_and_after: $load,
   cipher: ($runs | map(select(.peer == "ours"))[0].cipher),
   peers: ($runs | group_by(.peer) | map({key: .[0].peer, value: {sqlite: .[0].sqlite, cipher: .[0].cipher}}) | from_entries),
   rows: rows_of(["bulk", "commit", "point", "range", "scan"]), in_memory: rows_of(["point_warm"]),
   sessions: [ $sessions | group_by(.workload)[] | session_rows ]}
