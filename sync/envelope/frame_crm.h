// The frames of crm.h, written and read. Private to this folder.
#pragma once

#include "sync/envelope/closed_object.h"
#include "sync/envelope/crm.h"

namespace clinic::envelope {

std::string write(const CrmFact& fact);
std::string write(const MatchProbe& probe);
std::string write(const CrmPolled& polled);
std::string write(const CrmWalk& walk);
std::string write(const FactTaken& taken);
std::string write(const Matched& matched);
std::string write(const PollTerms& terms);
std::string write(const WalkTerms& terms);

// Behind "v" and "frame", which are read already.
CrmFact read_crm_fact(ObjectReader& reader);
MatchProbe read_match_probe(ObjectReader& reader);
CrmPolled read_crm_polled(ObjectReader& reader);
CrmWalk read_crm_walk(ObjectReader& reader);
FactTaken read_fact_taken(ObjectReader& reader);
Matched read_matched(ObjectReader& reader);
PollTerms read_poll_terms(ObjectReader& reader);
WalkTerms read_walk_terms(ObjectReader& reader);

} // namespace clinic::envelope
