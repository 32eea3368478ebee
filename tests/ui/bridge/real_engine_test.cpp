// SPDX-License-Identifier: GPL-3.0-or-later
#include <signal.h>

#include <QElapsedTimer>
#include <QtTest>
#include <cmath>

#include "core/cache/policy.h"
#include "tests/ui/bridge/client_watch.h"

/// The client and the real natscope-engine, on a tiny model.
namespace natscope::ui::test {
namespace {

QStringList engine() { return {QStringLiteral(NATSCOPE_BIN_DIR "/natscope-engine")}; }
std::string model() { return NATSCOPE_TESTS_DIR "/data/hf/llama"; }

GenerateMessage greedy(std::int64_t count) {
  GenerateMessage request;
  request.max_new_tokens = count;
  request.sampling.greedy = true;
  return request;
}

std::vector<std::int32_t> tokensOf(const SequenceRecord& record) {
  std::vector<std::int32_t> tokens;
  for (const TokenFrame& frame : record.frames()) tokens.push_back(frame.token);
  return tokens;
}

}  // namespace

class RealEngineTest : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void analysesGeneratesAndDraws() {
    ClientWatch watch(engine());
    QVERIFY(watch.makeReady(model(), "The cat sat on"));
    QVERIFY2(watch.errors.empty(), watch.errors.empty() ? "" : watch.errors[0].message.c_str());
    const ModelDescription& opened = *watch.client.model();
    QVERIFY(opened.layers > 0 && opened.vocab > 0 && opened.parameters > 0);
    const std::int64_t prompt = watch.client.record().size();
    watch.client.generate(greedy(8));
    QVERIFY(watch.waitForEvent(QStringLiteral("finished")));
    QCOMPARE(watch.client.record().size(), prompt + watch.lastFinished->generated);

    const auto last = static_cast<std::int32_t>(watch.client.record().size()) - 1;
    watch.client.requestTile({LayerId(0), HeadId(0), 0, 0, 0});
    watch.client.requestWeights({LayerId(0), HeadId(0), TokenPos(last), TokenPos(0), 1, last + 1});
    QVERIFY(ClientWatch::waitFor([&] { return !watch.tiles.empty() && !watch.weights.empty(); }));
    QCOMPARE(watch.tiles[0].rows, last + 1);
    double sum = 0;
    for (const float weight : watch.weights[0].weights) sum += static_cast<double>(weight);
    QVERIFY2(std::abs(sum - 1) < 1e-4, qPrintable(QString::number(sum)));
  }

  void stepsDrawWhatOneRunDraws() {
    GenerateMessage request;
    request.max_new_tokens = 6;
    request.sampling.temperature = 1.5;
    request.sampling.top_p = 1;
    request.sampling.seed = 7;
    ClientWatch whole(engine());
    QVERIFY(whole.makeReady(model(), "The cat"));
    whole.client.generate(request);
    QVERIFY(whole.waitForEvent(QStringLiteral("finished")));
    ClientWatch steps(engine());
    QVERIFY(steps.makeReady(model(), "The cat"));
    const auto count = static_cast<int>(whole.lastFinished->generated);
    for (int i = 0; i < count; ++i) {
      steps.events.clear();
      steps.client.step({{}, request.sampling, 2});
      QVERIFY(steps.waitForEvent(QStringLiteral("finished")));
    }
    QCOMPARE(tokensOf(steps.client.record()), tokensOf(whole.client.record()));
  }

  void goesOnAfterADeathAsIfNothingHadHappened() {
    ClientWatch calm(engine());
    QVERIFY(calm.makeReady(model(), "The cat sat on"));
    calm.client.generate(greedy(12));
    QVERIFY(calm.waitForEvent(QStringLiteral("finished")));
    ClientWatch killed(engine());
    QVERIFY(killed.makeReady(model(), "The cat sat on"));
    killed.client.generate(greedy(5));
    QVERIFY(killed.waitForEvent(QStringLiteral("finished")));
    if (killed.lastFinished->reason != StopReason::max_new_tokens) QSKIP("the tiny model ends the text at once");
    ::kill(static_cast<pid_t>(killed.client.processId()), SIGKILL);
    QVERIFY(killed.waitForEvent(QStringLiteral("restored")));
    killed.events.clear();
    killed.client.generate(greedy(7));
    QVERIFY(killed.waitForEvent(QStringLiteral("finished")));
    QCOMPARE(tokensOf(killed.client.record()), tokensOf(calm.client.record()));
    // The roles and what is held, too: the cache was rebuilt as it was.
    for (std::int64_t i = 0; i < calm.client.record().size(); ++i) {
      const TokenPos position(static_cast<std::int32_t>(i));
      QVERIFY(killed.client.record().frame(position).roles == calm.client.record().frame(position).roles);
      QVERIFY(killed.client.record().frame(position).entries == calm.client.record().frame(position).entries);
    }
  }

  void survivesKillsAtAnyMoment() {
    for (int pause = 0; pause <= 200; pause += 40) {
      ClientWatch watch(engine());
      watch.client.start();
      OpenMessage open;
      open.model = model();
      open.threads = 1;
      watch.client.openModel(open);
      watch.client.analyse({std::string("The cat sat on"), {}, 512, 2});
      QVERIFY(ClientWatch::waitFor([&] { return watch.client.processId() != 0; }));
      QTest::qWait(pause);
      if (watch.client.processId() != 0) ::kill(static_cast<pid_t>(watch.client.processId()), SIGKILL);
      QVERIFY(watch.waitForEvent(QStringLiteral("lost")));
      QVERIFY(ClientWatch::waitFor([&] { return watch.client.state() == EngineClient::State::ready; }));
      watch.events.clear();
      watch.client.analyse({std::string("The cat"), {}, 512, 2});
      QVERIFY(watch.waitForEvent(QStringLiteral("analysed")));
    }
  }

  void refusesWhatTheModelDoesNotHave() {
    ClientWatch watch(engine());
    QVERIFY(watch.makeReady(model(), "The cat"));
    const auto codeOf = [&](const AnalyseMessage& request) {
      watch.errors.clear();
      watch.client.analyse(request);
      return ClientWatch::waitFor([&] { return !watch.errors.empty(); }) ? watch.errors[0].code : ErrorCode::internal;
    };
    QCOMPARE(codeOf({std::string(), {}, 512, 0}), ErrorCode::bad_text);
    QCOMPARE(codeOf({std::vector<std::int32_t>{1, 1 << 30}, {}, 512, 0}), ErrorCode::bad_token_id);
    QCOMPARE(codeOf({std::vector<std::int32_t>(1 << 20, 1), {}, 512, 0}), ErrorCode::prompt_too_long);
    RolePlan plan;
    plan.forced = {{LayerId(99), KvHeadId(0), TokenPos(0), Role::local}};
    QCOMPARE(codeOf({std::string("x"), plan, 512, 0}), ErrorCode::bad_layer);
    plan.forced = {{LayerId(0), KvHeadId(99), TokenPos(0), Role::local}};
    QCOMPARE(codeOf({std::string("x"), plan, 512, 0}), ErrorCode::bad_head);
    // Under H2O they would be ignored, and stand in titles all the same.
    plan.forced = {{LayerId(0), KvHeadId(0), TokenPos(0), Role::local}};
    plan.policy = *parse_policy("h2o:2,3");
    QCOMPARE(codeOf({std::string("x"), plan, 512, 0}), ErrorCode::usage);
    plan.forced.clear();
    plan.window = 4;
    QCOMPARE(codeOf({std::string("x"), plan, 512, 0}), ErrorCode::usage);
  }

  /// Texts, plans and models that are refused, one after another: maps, text and what comes next are as without them.
  void whatIsRefusedLeavesWhatIsShownAlive() {
    ClientWatch calm(engine());
    QVERIFY(calm.makeReady(model(), "The cat sat on"));
    calm.client.generate(greedy(6));
    QVERIFY(calm.waitForEvent(QStringLiteral("finished")));
    if (calm.lastFinished->reason != StopReason::max_new_tokens) QSKIP("the tiny model ends the text at once");

    ClientWatch watch(engine());
    QVERIFY(watch.makeReady(model(), "The cat sat on"));
    QVERIFY(watch.waitForEvent(QStringLiteral("identified")));  // its weights' sum belongs to what is compared
    const ModelDescription opened = *watch.client.model();
    const std::vector<std::int32_t> prompt = tokensOf(watch.client.record());
    watch.events.clear();
    int next = 0;
    const auto staysAlive = [&](ErrorCode code) {
      if (!ClientWatch::waitFor([&] { return !watch.errors.empty(); })) return false;
      const bool isCode = watch.errors.size() == 1 && watch.errors[0].code == code;
      watch.errors.clear();
      // Row 0 of a head that was not asked for yet: the engine still has the sequence.
      watch.tiles.clear();
      const auto heads = opened.layers * opened.heads;
      watch.client.requestTile({LayerId(next % heads / opened.heads), HeadId(next % opened.heads), 0, 0, 0});
      ++next;
      return isCode && ClientWatch::waitFor([&] {
               return !watch.tiles.empty() && watch.client.state() == EngineClient::State::ready;
             }) &&
             watch.client.knowsSequence() && *watch.client.model() == opened &&
             tokensOf(watch.client.record()) == prompt && !watch.events.contains(QStringLiteral("sequence"));
    };
    const auto refused = [&](const AnalyseMessage& request, ErrorCode code) {
      watch.client.analyse(request);
      return staysAlive(code);
    };
    QVERIFY(refused({std::string(), {}, 512, 0}, ErrorCode::bad_text));
    QVERIFY(refused({std::vector<std::int32_t>(1 << 20, 1), {}, 512, 0}, ErrorCode::prompt_too_long));
    QVERIFY(refused({std::vector<std::int32_t>{1, 1 << 30}, {}, 512, 0}, ErrorCode::bad_token_id));
    RolePlan plan;
    plan.roles = RoleArray{opened.layers, opened.kv_heads, 2, {}};
    plan.roles->roles.assign(static_cast<std::size_t>(opened.layers * opened.kv_heads * 2), Role::global);
    QVERIFY(refused({std::string("The cat sat on the mat"), plan, 512, 0}, ErrorCode::bad_roles));
    plan.roles = RoleArray{opened.layers + 1, opened.kv_heads, 64, {}};
    plan.roles->roles.assign(static_cast<std::size_t>((opened.layers + 1) * opened.kv_heads * 64), Role::global);
    QVERIFY(refused({std::string("The cat"), plan, 512, 0}, ErrorCode::bad_roles));
    OpenMessage missing;
    missing.model = "/no/such/model";
    watch.client.openModel(missing);
    QVERIFY(staysAlive(ErrorCode::file_not_found));
    OpenMessage elsewhere;
    elsewhere.model = model();
    elsewhere.threads = 2000;
    watch.client.openModel(elsewhere);
    QVERIFY(staysAlive(ErrorCode::usage));

    watch.client.generate(greedy(6));
    QVERIFY(watch.waitForEvent(QStringLiteral("finished")));
    QCOMPARE(tokensOf(watch.client.record()), tokensOf(calm.client.record()));
    // The largest window is no wrong one.
    watch.events.clear();
    plan = {};
    plan.policy = *parse_policy("window:2147483647");
    watch.client.analyse({std::string("The cat"), plan, 512, 0});
    QVERIFY(watch.waitForEvent(QStringLiteral("analysed")));
    QCOMPARE(watch.client.record().window().value_or(0), std::int64_t{2'147'483'647});
  }
};

}  // namespace natscope::ui::test

QTEST_GUILESS_MAIN(natscope::ui::test::RealEngineTest)
#include "real_engine_test.moc"
