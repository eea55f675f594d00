#include "wildrayzer/server/worker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <string>

namespace wildrayzer {
namespace {

using std::chrono::milliseconds;

bool Stays() { return false; }

// Holds the worker until it is let go.
class Hold {
 public:
  explicit Hold(Worker& worker) : worker_(worker) {
    job_ = worker.Submit(Urgency::kOrdinary, [this] {
      began_.set_value();
      go_.get_future().wait();
    });
    began_.get_future().wait();
  }
  void Release() {
    go_.set_value();
    worker_.Wait(job_, Stays);
  }
  const std::shared_ptr<Job>& job() const { return job_; }

 private:
  Worker& worker_;
  std::promise<void> began_, go_;
  std::shared_ptr<Job> job_;
};

TEST(Worker, TheMoreUrgentComesFirst) {
  Worker worker;
  Hold hold(worker);
  std::string order;
  const auto note = [&](char what) { return [&order, what] { order += what; }; };
  std::vector<std::shared_ptr<Job>> jobs = {
      worker.Submit(Urgency::kIdle, note('i')), worker.Submit(Urgency::kOrdinary, note('o')),
      worker.Submit(Urgency::kBrush, note('b')), worker.Submit(Urgency::kView, note('v')),
      worker.Submit(Urgency::kOrdinary, note('p'))};
  EXPECT_EQ(worker.Length(), 5u);  // the view aside
  EXPECT_EQ(worker.Position(hold.job()), 0);
  EXPECT_EQ(worker.Position(jobs[2]), 1);
  EXPECT_EQ(worker.Position(jobs[1]), 2);
  EXPECT_EQ(worker.Position(jobs[0]), 4);
  hold.Release();
  for (const auto& job : jobs) worker.Wait(job, Stays);
  EXPECT_EQ(order, "vbopi");
  EXPECT_EQ(worker.Length(), 0u);
  EXPECT_EQ(worker.Position(jobs[0]), -1);
}

TEST(Worker, WhatIsDoneIsNotInTheQueue) {
  Worker worker;
  for (int i = 0; i < 2000; ++i) {  // at once, before the worker looks for more
    const auto job = worker.Submit(Urgency::kOrdinary, [] {});
    worker.Wait(job, Stays);
    ASSERT_EQ(worker.Position(job), -1);
    ASSERT_EQ(worker.Length(), 0u);
  }
}

TEST(Worker, ViewsAreDoneWithinAJobThatGivesWay) {
  Worker worker;
  std::string order;
  std::promise<void> submitted;
  const auto job = worker.Submit(Urgency::kOrdinary, [&] {
    submitted.get_future().wait();
    order += '(';
    worker.GiveWay();
    order += ')';
  });
  const auto other = worker.Submit(Urgency::kBrush, [&] { order += 'b'; });
  const auto view = worker.Submit(Urgency::kView, [&] { order += 'v'; });
  submitted.set_value();
  for (const auto& one : {job, other, view}) worker.Wait(one, Stays);
  // Whichever of the first two began first.
  EXPECT_TRUE(order == "(v)b" || order == "vb()") << order;
}

// Several who look around all the time do not keep others waiting for ever.
TEST(Worker, ViewsDoNotStarveOtherJobs) {
  Worker worker;
  Hold hold(worker);
  std::string order;
  std::vector<std::shared_ptr<Job>> jobs;
  for (int i = 0; i < 8; ++i) jobs.push_back(worker.Submit(Urgency::kView, [&] { order += 'v'; }));
  jobs.push_back(worker.Submit(Urgency::kOrdinary, [&] { order += 'o'; }));
  hold.Release();
  for (const auto& job : jobs) worker.Wait(job, Stays);
  EXPECT_EQ(order, "vvvvovvvv");
  // And a job that gives way is back after the views that waited then.
  std::atomic<int> views = 0;
  std::function<void()> again = [&] {
    if (++views < 1000) worker.Submit(Urgency::kView, again);
  };
  int seen = 0;
  const auto job = worker.Submit(Urgency::kOrdinary, [&] {
    worker.Submit(Urgency::kView, again);
    worker.GiveWay();
    seen = views;
  });
  worker.Wait(job, Stays);
  EXPECT_EQ(seen, 1);
  while (views < 1000) std::this_thread::sleep_for(milliseconds(1));
}

TEST(Worker, ErrorsGoToWhoWaits) {
  Worker worker;
  const auto job = worker.Submit(Urgency::kOrdinary, [] { throw Error("no"); });
  EXPECT_THROW(worker.Wait(job, Stays), Error);
  worker.Wait(worker.Submit(Urgency::kOrdinary, [] {}), Stays);  // and it goes on
}

TEST(Worker, WhatNobodyWaitsForIsNotDone) {
  Worker worker;
  Hold hold(worker);
  std::atomic<bool> done = false;
  const auto view = worker.Submit(Urgency::kView, [&] { done = true; });
  EXPECT_THROW(worker.Wait(view, [] { return true; }), Cancelled);
  hold.Release();
  worker.Wait(worker.Submit(Urgency::kIdle, [] {}), Stays);
  EXPECT_FALSE(done);
}

TEST(Worker, ANewerViewOfTheSameClientTakesThePlaceOfTheOlder) {
  Worker worker;
  Hold hold(worker);
  std::string order;
  const auto first = worker.Submit(
      Urgency::kView, [&] { order += '1'; }, "a");
  const auto other = worker.Submit(
      Urgency::kView, [&] { order += 'o'; }, "b");
  const auto nameless = worker.Submit(Urgency::kView, [&] { order += 'n'; });
  const auto second = worker.Submit(
      Urgency::kView, [&] { order += '2'; }, "a");
  EXPECT_THROW(worker.Wait(first, Stays), Cancelled);
  hold.Release();
  for (const auto& job : {other, nameless, second}) worker.Wait(job, Stays);
  EXPECT_EQ(order, "on2");
}

TEST(Worker, QueuesAreBoundedEachForItself) {
  Worker worker(/*most_jobs=*/2, /*most_views=*/1);
  Hold hold(worker);
  const auto nothing = [] {};
  EXPECT_TRUE(worker.Submit(Urgency::kOrdinary, nothing));
  EXPECT_TRUE(worker.Submit(Urgency::kBrush, nothing));
  EXPECT_FALSE(worker.Submit(Urgency::kBrush, nothing));
  EXPECT_TRUE(worker.Submit(Urgency::kView, nothing, "a"));
  EXPECT_FALSE(worker.Submit(Urgency::kView, nothing, "b"));
  EXPECT_TRUE(worker.Submit(Urgency::kView, nothing, "a"));  // replaces
  hold.Release();
}

TEST(Worker, StoppingDropsWhatWaitsAndEndsWhatGivesWay) {
  Worker worker;
  std::promise<void> began;
  const auto running = worker.Submit(Urgency::kOrdinary, [&] {
    began.set_value();
    for (;;) {
      worker.GiveWay();
      std::this_thread::sleep_for(milliseconds(1));
    }
  });
  const auto waiting = worker.Submit(Urgency::kOrdinary, [] {});
  began.get_future().wait();
  worker.Stop();
  EXPECT_THROW(worker.Wait(running, Stays), Cancelled);
  EXPECT_THROW(worker.Wait(waiting, Stays), Cancelled);
  EXPECT_FALSE(worker.Submit(Urgency::kView, [] {}));
}

// What a job holds is let go when it is done, not when the last who knows the job forgets it.
TEST(Worker, AJobHoldsNothingOnceItIsDone) {
  Worker worker;
  auto held = std::make_shared<int>(1);
  const std::weak_ptr<int> watch = held;
  const auto job = worker.Submit(Urgency::kOrdinary, [held] {});
  held = nullptr;
  worker.Wait(job, Stays);
  for (int i = 0; i < 100 && !watch.expired(); ++i) std::this_thread::sleep_for(milliseconds(1));
  EXPECT_TRUE(watch.expired());
}

}  // namespace
}  // namespace wildrayzer
