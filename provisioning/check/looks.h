// The looks of the table, room by room. Each answers for one id of table.cpp and reads nothing but its scene.
#pragma once

#include "provisioning/check/check.h"

namespace clinic::check {

// disk.cpp
Finding disk_space(const Scene&);
Finding disk_files(const Scene&);
Finding disk_writable(const Scene&);
Finding disk_file_system(const Scene&);
Finding disk_journal(const Scene&);
Finding disk_errors(const Scene&);
Finding disk_wear(const Scene&);

// machine.cpp
Finding memory_free(const Scene&);
Finding memory_killed(const Scene&);
Finding machine_load(const Scene&);
Finding machine_temperature(const Scene&);
Finding machine_watchdog(const Scene&);
Finding machine_restart(const Scene&);

// clock.cpp
Finding clock_date(const Scene&);
Finding clock_kept(const Scene&);
Finding clock_service(const Scene&);
Finding clock_hardware(const Scene&);

// setup.cpp
Finding setup_clinicd(const Scene&);
Finding setup_syncd(const Scene&);
Finding setup_agrees(const Scene&);
Finding setup_records(const Scene&);
Finding setup_users(const Scene&);

// keys.cpp
Finding keys_tpm(const Scene&);
Finding keys_there(const Scene&);
Finding keys_open(const Scene&);
Finding keys_private(const Scene&);
Finding keys_recovery(const Scene&);

// certificates.cpp
Finding certificate_page(const Scene&);
Finding certificate_mllp(const Scene&);
Finding certificate_device(const Scene&);
Finding certificate_authorities(const Scene&);
Finding certificate_system(const Scene&);
Finding certificate_added(const Scene&);

// units.cpp
Finding service_manager(const Scene&);
Finding service_clinicd(const Scene&);
Finding service_syncd(const Scene&);
Finding service_sockets(const Scene&);
Finding service_credentials(const Scene&);
Finding service_boot(const Scene&);
Finding service_revival(const Scene&);
Finding service_restarts(const Scene&);
Finding service_hardening(const Scene&);
Finding service_others(const Scene&);
Finding exposure_rules(const Scene&);

// package.cpp
Finding package_state(const Scene&);
Finding package_others(const Scene&);

// network.cpp
Finding net_link(const Scene&);
Finding net_address(const Scene&);
Finding net_route(const Scene&);
Finding net_resolver(const Scene&);
Finding net_proxy(const Scene&);
Finding exposure_ports(const Scene&);
Finding exposure_networks(const Scene&);

// box.cpp
Finding clinicd_answers(const Scene&);
Finding clinicd_mode(const Scene&);
Finding clinicd_version(const Scene&);
Finding clinicd_ports(const Scene&);
Finding clock_trusted(const Scene&);
Finding clock_offset(const Scene&);
Finding store_readable(const Scene&);
Finding store_seals(const Scene&);
Finding store_checked(const Scene&);
Finding store_people(const Scene&);
Finding store_keys(const Scene&);
Finding store_wal(const Scene&);
Finding store_books(const Scene&);
Finding containment_inside(const Scene&);
Finding containment_outside(const Scene&);
Finding feeds_named(const Scene&);
Finding feeds_silent(const Scene&);
Finding intake_quarantine(const Scene&);
Finding basis_valid(const Scene&);
Finding queue_age(const Scene&);
Finding queue_dead(const Scene&);

// ways.cpp
Finding syncd_answers(const Scene&);
Finding syncd_heard(const Scene&);
Finding ghl_names(const Scene&);
Finding ghl_reached(const Scene&);
Finding ghl_tls(const Scene&);
Finding ghl_issuer(const Scene&);
Finding ghl_certificate(const Scene&);
Finding ghl_asked(const Scene&);
Finding ghl_token(const Scene&);
Finding ghl_accepted(const Scene&);
Finding ghl_scope(const Scene&);
Finding ghl_location(const Scene&);
Finding ghl_fields(const Scene&);
Finding ghl_limits(const Scene&);
Finding ghl_service(const Scene&);
Finding ghl_open(const Scene&);
Finding mqtt_names(const Scene&);
Finding mqtt_reached(const Scene&);
Finding mqtt_tls(const Scene&);
Finding mqtt_issuer(const Scene&);
Finding mqtt_certificate(const Scene&);
Finding mqtt_accepted(const Scene&);
Finding mqtt_alone(const Scene&);
Finding mqtt_limits(const Scene&);
Finding mqtt_numbers(const Scene&);
Finding mqtt_service(const Scene&);
Finding mqtt_open(const Scene&);

} // namespace clinic::check
