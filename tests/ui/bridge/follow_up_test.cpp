// SPDX-License-Identifier: GPL-3.0-or-later
// A text that goes on behind what an engine wrote: what a window mirrors of it, and says of where it comes from.
#include <signal.h>

#include <QtTest>

#include "tests/ui/bridge/client_watch.h"

namespace natscope::ui::test {
namespace {

GenerateMessage tokens(std::int64_t count) {
  GenerateMessage request;
  request.max_new_tokens = count;
  return request;
}

/// "pppgggffg": prompt, generated, follow-up.
QString whoWrote(const SequenceRecord& record, std::int64_t promptTokens) {
  QString who;
  for (const TokenFrame& frame : record.frames())
    who += frame.generated ? u'g' : frame.position.value < promptTokens ? u'p' : u'f';
  return who;
}

std::string digestOfFirst(const SequenceRecord& record, std::size_t count) {
  std::vector<std::int32_t> given;
  for (const TokenFrame& frame : record.frames().first(count)) given.push_back(frame.token);
  return prompt_digest(given);
}

}  // namespace

class FollowUpTest : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void goesOnBehindWhatWasWritten() {
    ClientWatch watch(good());
    QVERIFY(beginConversation(watch));
    QCOMPARE(whoWrote(watch.client.record(), 3), QStringLiteral("pppggffggg"));
    QCOMPARE(watch.client.promptTokens(), 3);
    QCOMPARE(watch.client.promptText(), std::string("abc"));
    QCOMPARE(watch.client.prefillTokens(), 2);
    // The prompt and a seed do not make what follows the follow-up: the tokens up to there do.
    QCOMPARE(watch.client.provenance().prompt_sha256, digestOfFirst(watch.client.record(), 7));
    QVERIFY(watch.client.provenance().sampling.has_value());
    QVERIFY(watch.errors.empty());
  }

  void aSessionOfItSaysTheSameOnceMore() {
    ClientWatch watch(good());
    QVERIFY(beginConversation(watch));
    const Session session = watch.client.session();
    QCOMPARE(session.prompt_tokens, 3);
    ClientWatch other(good());
    other.client.showSession(session);
    QCOMPARE(whoWrote(other.client.record(), other.client.promptTokens()), QStringLiteral("pppggffggg"));
    QCOMPARE(other.client.provenance().prompt_sha256, watch.client.provenance().prompt_sha256);
    QCOMPARE(other.client.session().provenance, session.provenance);
  }

  void whatWasGivenIsKnownAlsoAfterItWasReadAgain() {
    ClientWatch watch(good());
    QVERIFY(beginConversation(watch));
    const std::vector<TokenSpan> spans{{5, 7}};
    QCOMPARE(watch.client.followUps(), spans);
    watch.events.clear();
    watch.client.readAgain({});
    QVERIFY(watch.waitForEvent(QStringLiteral("analysed")));
    QCOMPARE(watch.client.record().size(), 10);
    QCOMPARE(watch.client.promptTokens(), 3);
    QCOMPARE(watch.client.followUps(), spans);
    QCOMPARE(watch.client.provenance().prompt_sha256, digestOfFirst(watch.client.record(), 10));
  }

  /// Nothing was drawn behind it: the settings for what may come next tell nothing of it, in a file either.
  void aFileOfOneThatWasNotAnsweredClaimsNoSampling() {
    ClientWatch watch(good());
    QVERIFY(beginConversation(watch));
    QSignalSpy read(&watch.client, &EngineClient::followUpRead);
    FollowUpMessage request;
    request.text = "fg";
    watch.client.followUp(request);
    QVERIFY(read.count() > 0 || read.wait());
    QVERIFY(!watch.client.provenance().sampling);
    const QTemporaryDir folder;
    const std::string path = folder.filePath(QStringLiteral("s.safetensors")).toStdString();
    const Session session = watch.client.session();
    QVERIFY(write_session(path, session).has_value());
    const auto opened = read_session(path);
    QVERIFY(opened.has_value());
    QCOMPARE(opened->provenance, session.provenance);
    ClientWatch other(good());
    other.client.showSession(*opened);
    QCOMPARE(other.client.provenance(), session.provenance);
    QCOMPARE(other.client.followUps(), (std::vector<TokenSpan>{{5, 7}, {10, 12}}));
  }

  void oneThatIsStoppedLeavesWhatWasReadOfIt() {
    ClientWatch watch({QStringLiteral(NATSCOPE_FAKE_ENGINE), QStringLiteral("slow"), QStringLiteral("5")});
    QVERIFY(watch.makeReady("m", "abc"));
    QSignalSpy read(&watch.client, &EngineClient::followUpRead);
    QSignalSpy progress(&watch.client, &EngineClient::progress);
    FollowUpMessage request;
    request.text = std::string(10'000, 'a');
    watch.client.followUp(request);
    QVERIFY(ClientWatch::waitFor([&] { return progress.count() > 2; }));
    watch.client.stop();
    QVERIFY(watch.waitForEvent(QStringLiteral("failed")));
    QCOMPARE(watch.errors.back().code, ErrorCode::interrupted);
    const std::int64_t size = watch.client.record().size();
    QVERIFY(size > 3 && size < 10'003);
    QCOMPARE(watch.client.followUps(), (std::vector<TokenSpan>{{3, size}}));
    QCOMPARE(read.count(), 0);
    QCOMPARE(watch.client.state(), EngineClient::State::ready);
  }

  void anEngineThatDiesInItIsGivenWhatWasRead() {
    ClientWatch watch({QStringLiteral(NATSCOPE_FAKE_ENGINE), QStringLiteral("slow"), QStringLiteral("5")});
    QVERIFY(watch.makeReady("m", "abc"));
    QSignalSpy progress(&watch.client, &EngineClient::progress);
    FollowUpMessage request;
    request.text = std::string(10'000, 'a');
    watch.client.followUp(request);
    QVERIFY(ClientWatch::waitFor([&] { return progress.count() > 2; }));
    ::kill(static_cast<pid_t>(watch.client.processId()), SIGKILL);
    QVERIFY(watch.waitForEvent(QStringLiteral("restored")));
    QVERIFY(watch.client.record().size() >= 3);
    QVERIFY(watch.client.knowsSequence());
  }

  void whatIsRefusedStands() {
    ClientWatch watch(good());
    QVERIFY(watch.makeReady("m", "abc"));
    QSignalSpy refused(&watch.client, &EngineClient::followUpFailed);
    QSignalSpy read(&watch.client, &EngineClient::followUpRead);
    watch.client.followUp({});
    QVERIFY(refused.count() > 0 || refused.wait());
    QCOMPARE(refused[0][0].value<Error>().code, ErrorCode::bad_text);
    QVERIFY(watch.errors.empty());
    QCOMPARE(read.count(), 0);
    QCOMPARE(watch.client.record().size(), 3);
    QCOMPARE(watch.client.provenance().prompt_sha256, prompt_digest("abc"));
    QCOMPARE(watch.client.state(), EngineClient::State::ready);
  }

  void aTurnHasItsMarks() {
    ClientWatch watch(good());
    QVERIFY(watch.makeReady("m", "abc"));
    QSignalSpy read(&watch.client, &EngineClient::followUpRead);
    FollowUpMessage request;
    request.text = "de";
    request.chat = true;
    watch.client.followUp(request);
    QCOMPARE(watch.client.state(), EngineClient::State::generating);
    QVERIFY(read.count() > 0 || read.wait());
    QCOMPARE(read[0][0].toString(), QStringLiteral("made up"));
    QCOMPARE(watch.client.record().size(), 7);
    QVERIFY(!watch.events.contains(QStringLiteral("finished")));
  }

  void anotherEngineIsGivenAllOfIt() {
    ClientWatch watch(good());
    QVERIFY(beginConversation(watch));
    const std::string digest = watch.client.provenance().prompt_sha256;
    watch.events.clear();
    ::kill(static_cast<pid_t>(watch.client.processId()), SIGKILL);
    QVERIFY(watch.waitForEvent(QStringLiteral("restored")));
    QCOMPARE(whoWrote(watch.client.record(), 3), QStringLiteral("pppggffggg"));
    QCOMPARE(watch.client.provenance().prompt_sha256, digest);
  }

 private:
  static QStringList good() { return {QStringLiteral(NATSCOPE_FAKE_ENGINE), QStringLiteral("good")}; }

  static bool beginConversation(ClientWatch& watch) {
    if (!watch.makeReady("m", "abc")) return false;
    watch.client.generate(tokens(2));
    if (!watch.waitForEvent(QStringLiteral("finished"))) return false;
    watch.events.clear();
    QSignalSpy read(&watch.client, &EngineClient::followUpRead);
    FollowUpMessage request;
    request.text = "de";
    watch.client.followUp(request);
    if (!ClientWatch::waitFor([&] { return read.count() > 0; })) return false;
    watch.client.generate(tokens(3));
    return watch.waitForEvent(QStringLiteral("finished"));
  }
};

}  // namespace natscope::ui::test

QTEST_GUILESS_MAIN(natscope::ui::test::FollowUpTest)
#include "follow_up_test.moc"
