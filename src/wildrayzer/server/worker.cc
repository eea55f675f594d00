#include "wildrayzer/server/worker.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <utility>
#include <vector>

namespace wildrayzer {

Worker::Worker(size_t most_jobs, size_t most_views)
    : most_jobs_(most_jobs), most_views_(most_views), thread_([this] { Loop(); }) {}

Worker::~Worker() { Stop(); }

std::shared_ptr<Job> Worker::Submit(Urgency urgency, std::function<void()> work, const std::string& client) {
  const bool view = urgency == Urgency::kView;
  auto job = std::make_shared<Job>(urgency, std::move(work), client);
  std::shared_ptr<Job> replaced;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (view && !client.empty()) {
      const auto old = std::find_if(waiting_.begin(), waiting_.end(), [&](const auto& other) {
        return other->urgency_ == urgency && other->client_ == client;
      });
      if (old != waiting_.end()) {
        replaced = *old;
        waiting_.erase(old);
      }
    }
    const auto alike = std::count_if(waiting_.begin(), waiting_.end(), [&](const auto& other) {
      return view == (other->urgency_ == Urgency::kView);
    });
    const bool full = static_cast<size_t>(alike) >= (view ? most_views_ : most_jobs_);
    if (stopping_ || full) {
      job = nullptr;
    } else {
      const auto later = std::find_if(waiting_.begin(), waiting_.end(),
                                      [&](const auto& other) { return other->urgency_ > urgency; });
      waiting_.insert(later, job);
    }
  }
  if (replaced) Finish(replaced, std::make_exception_ptr(Cancelled()));
  changed_.notify_all();
  return job;
}

void Worker::Wait(const std::shared_ptr<Job>& job, const std::function<bool()>& gone) {
  constexpr std::chrono::milliseconds kStep{20};
  std::unique_lock<std::mutex> lock(mutex_);
  while (!changed_.wait_for(lock, kStep, [&] { return job->done_; })) {
    lock.unlock();
    if (gone()) {
      Drop(job);
      throw Cancelled();
    }
    lock.lock();
  }
  if (job->error_) std::rethrow_exception(job->error_);
}

void Worker::Drop(const std::shared_ptr<Job>& job) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto found = std::find(waiting_.begin(), waiting_.end(), job);
    if (found == waiting_.end()) return;
    waiting_.erase(found);
  }
  Finish(job, std::make_exception_ptr(Cancelled()));
}

void Worker::GiveWay() {
  std::vector<std::shared_ptr<Job>> views;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (stopping_) throw Cancelled();
    const auto others = std::find_if(waiting_.begin(), waiting_.end(),
                                     [](const auto& job) { return job->urgency_ != Urgency::kView; });
    views.assign(waiting_.begin(), others);
    waiting_.erase(waiting_.begin(), others);
  }
  for (const auto& view : views) Do(view);
}

size_t Worker::Length() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto waiting = std::count_if(waiting_.begin(), waiting_.end(),
                                     [](const auto& job) { return job->urgency_ != Urgency::kView; });
  return static_cast<size_t>(waiting) + (running_ && running_->urgency_ != Urgency::kView ? 1 : 0);
}

int Worker::Position(const std::shared_ptr<Job>& job) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (job && job == running_) return 0;
  int position = 1;
  for (const auto& other : waiting_) {
    if (other == job) return position;
    if (other->urgency_ != Urgency::kView) ++position;
  }
  return -1;
}

void Worker::Stop() {
  std::list<std::shared_ptr<Job>> dropped;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
    dropped.swap(waiting_);
  }
  for (const auto& job : dropped) Finish(job, std::make_exception_ptr(Cancelled()));
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Worker::Loop() {
  for (;;) {
    std::shared_ptr<Job> job;
    {
      std::unique_lock<std::mutex> lock(mutex_);
      changed_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
      if (stopping_) return;
      job = running_ = TakeNext();
    }
    Do(job);
  }
}

std::shared_ptr<Job> Worker::TakeNext() {
  constexpr int kMostInARow = 4;
  auto next = waiting_.begin();
  if ((*next)->urgency_ == Urgency::kView && ++views_in_a_row_ > kMostInARow) {
    const auto other = std::find_if(waiting_.begin(), waiting_.end(),
                                    [](const auto& job) { return job->urgency_ != Urgency::kView; });
    if (other != waiting_.end()) next = other;
  }
  std::shared_ptr<Job> job = *next;
  waiting_.erase(next);
  if (job->urgency_ != Urgency::kView) views_in_a_row_ = 0;
  return job;
}

void Worker::Do(const std::shared_ptr<Job>& job) {
  std::exception_ptr error;
  try {
    job->work_();
  } catch (...) {
    error = std::current_exception();
  }
  Finish(job, error);
}

void Worker::Finish(const std::shared_ptr<Job>& job, std::exception_ptr error) {
  std::function<void()> work;  // what it holds is let go outside of the lock
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (running_ == job) running_ = nullptr;  // whoever waited for it does not find it in the queue
    job->done_ = true;
    job->error_ = std::move(error);
    work = std::move(job->work_);
    job->work_ = nullptr;
  }
  changed_.notify_all();
}

}  // namespace wildrayzer
