// One computation at a time, in the order of urgency.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "wildrayzer/util/error.h"

namespace wildrayzer {

// The work is not wanted any more: its scene was deleted, a newer one took its place, or the server ends.
class Cancelled : public Error {
 public:
  Cancelled() : Error("cancelled") {}
};

// The more urgent first; of one urgency first come, first served.
enum class Urgency { kView, kBrush, kOrdinary, kIdle };

// What somebody asked for.
class Job {
 public:
  Job(Urgency urgency, std::function<void()> work, std::string client)
      : urgency_(urgency), client_(std::move(client)), work_(std::move(work)) {}

 private:
  friend class Worker;
  const Urgency urgency_;
  const std::string client_;
  std::function<void()> work_;  // empty when it has been done or dropped
  bool done_ = false;
  std::exception_ptr error_;
};

class Worker {
 public:
  // So many jobs may wait; views are counted by themselves.
  explicit Worker(size_t most_jobs = 64, size_t most_views = 32);
  ~Worker();  // stops
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Nothing when too much waits already. An exception out of `work` goes to Wait. A view of the same `client`
  // (if it has a name) that still waits is cancelled.
  std::shared_ptr<Job> Submit(Urgency urgency, std::function<void()> work, const std::string& client = "");
  // Returns when the job is done and raises what it raised; raises Cancelled when it will not be done. Asks
  // `gone` every now and then: when it says so, a job that has not begun is dropped.
  void Wait(const std::shared_ptr<Job>& job, const std::function<bool()>& gone);
  void Drop(const std::shared_ptr<Job>& job);

  // To be called from within a job every now and then: does the views that wait already, then returns. Raises
  // Cancelled when the server ends.
  void GiveWay();

  // Jobs that wait or run, views aside.
  size_t Length() const;
  // 0: runs; 1: the next one, and so on; -1: neither.
  int Position(const std::shared_ptr<Job>& job) const;

  // Drops what waits and lets what runs end at its next GiveWay.
  void Stop();

 private:
  void Loop();
  // The next one to be done, out of the queue, which is not empty: the most urgent, but after some views in a
  // row something else. Those who look around in one scene may not keep another from ever being made.
  std::shared_ptr<Job> TakeNext();
  void Do(const std::shared_ptr<Job>& job);
  void Finish(const std::shared_ptr<Job>& job, std::exception_ptr error);

  const size_t most_jobs_, most_views_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::list<std::shared_ptr<Job>> waiting_;  // the next one first
  std::shared_ptr<Job> running_;             // a view may run within it
  int views_in_a_row_ = 0;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace wildrayzer
