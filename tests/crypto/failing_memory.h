// SQLite's memory, which fails when it is told to.
//   Use:     no connection is open when it comes and when it goes: SQLite is shut down for it.
//   Threads: any may take memory; one tells.
#pragma once

namespace clinic::crypto::tests {

class FailingMemory {
public:
    FailingMemory();
    ~FailingMemory();
    FailingMemory(const FailingMemory&) = delete;
    FailingMemory& operator=(const FailingMemory&) = delete;

    // The `nth` allocation from now on fails: once, or it and all after it. 0: none fails.
    void fail(int nth, bool once);
    bool failed() const;
    int calls() const; // since `fail`
};

} // namespace clinic::crypto::tests
