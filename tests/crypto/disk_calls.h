// The C library's file calls, with a FaultDisk in front of them while one is put in.
#pragma once

#include <mutex>

namespace clinic::crypto::tests {

class FaultDisk;

std::mutex& disk_lock(); // held while a call of the disk's folder is at work

void put_in(FaultDisk& disk);         // where none is
void take_out(const FaultDisk& disk); // if it is the one

} // namespace clinic::crypto::tests
