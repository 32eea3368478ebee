// SPDX-License-Identifier: GPL-3.0-or-later
// Work on other threads: what comes back of it, above all when it throws.
#include "ui/models/elsewhere.h"

#include <QTest>
#include <stdexcept>

#include "tests/ui/patience.h"

using namespace natscope;
using namespace natscope::ui;

namespace {

/// The code of what `work`, which throws, arrives as; "" where it arrives as no error.
template <class Work>
std::string codeOf(QObject* owner, Work work) {
  std::optional<std::string> code;
  elsewhere(owner, work, [&code](const auto& outcome) { code = outcome ? "" : name(outcome.error().code); });
  (void)QTest::qWaitFor([&code] { return code.has_value(); }, patience);
  return code.value_or("nothing came");
}

}  // namespace

class ElsewhereTest : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  /// They would end the program on the thread that they are thrown on.
  void whatIsThrownArrivesAsAnError() {
    QCOMPARE(codeOf(this, []() -> Expected<int> { throw std::bad_alloc(); }), "out-of-memory");
    QCOMPARE(codeOf(this, []() -> Expected<void> { throw std::length_error("too long"); }), "internal");
    QCOMPARE(codeOf(this, []() -> int { throw std::bad_alloc(); }), "out-of-memory");
    QCOMPARE(codeOf(this, []() -> int { throw 7; }), "internal");
    QCOMPARE(codeOf(this, []() -> Expected<int> { return fail(ErrorCode::bad_text, "no text"); }), "bad-text");
  }

  void whatIsReturnedArrivesAsItIs() {
    std::optional<int> expected;
    std::optional<int> plain;
    elsewhere(
        this, []() -> Expected<int> { return 3; }, [&](const Expected<int>& value) { expected = *value; });
    elsewhere(
        this, [] { return 4; }, [&](const Expected<int>& value) { plain = *value; });
    QTRY_VERIFY_WITH_TIMEOUT(expected && plain, patience);
    QCOMPARE(*expected, 3);
    QCOMPARE(*plain, 4);
  }
};

QTEST_GUILESS_MAIN(ElsewhereTest)
#include "elsewhere_test.moc"
