// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/text_file.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <QFile>
#include <QTemporaryDir>
#include <QTest>
#include <thread>

using namespace natscope;
using namespace natscope::ui;

class TextFileTest : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void readsTextAsItStands() {
    QCOMPARE(textOf("Alice – größer\n\tend"), QStringLiteral("Alice – größer\n\tend"));
    // The same tokens as on the command line.
    const QByteArray marked = "\xef\xbb\xbfone\r\ntwo\rthree";
    QCOMPARE(textOf(marked).toStdString(), marked.toStdString());
    QVERIFY(unseenWords(QStringLiteral("one\ntwo")).isEmpty());
    QVERIFY(unseenWords(textOf(marked)).contains(QStringLiteral("byte order mark")));
    QVERIFY(unseenWords(textOf(marked)).contains(QStringLiteral("CR")));
  }

  void refusesWhatIsNoText_data() {
    QTest::addColumn<QByteArray>("bytes");
    QTest::addColumn<int>("code");
    const auto row = [](const char* name, const QByteArray& bytes, ErrorCode code) {
      QTest::newRow(name) << bytes << static_cast<int>(code);
    };
    row("empty", {}, ErrorCode::bad_text);
    row("only a mark", "\xef\xbb\xbf", ErrorCode::bad_text);
    row("Latin-1",
        "gr\xf6\xdf"
        "er",
        ErrorCode::bad_text);
    row("cut in a letter", "gr\xc3", ErrorCode::bad_text);
    row("a byte that no text has", QByteArray("a\0b", 3), ErrorCode::bad_text);
    row("too large", QByteArray(largestTextFile + 1, 'x'), ErrorCode::file_too_large);
  }
  void refusesWhatIsNoText() {
    QFETCH(QByteArray, bytes);
    QFETCH(int, code);
    const auto text = readTextFile(written(bytes));
    QVERIFY(!text);
    QCOMPARE(static_cast<int>(text.error().code), code);
    QVERIFY(text.error().message.find("text.txt") != std::string::npos);
  }

  void refusesWhatIsNotThere() {
    const auto text = readTextFile(folder_.filePath(QStringLiteral("nowhere.txt")));
    QVERIFY(!text);
    QCOMPARE(text.error().code, ErrorCode::file_not_found);
  }

  void tellsRecordedFilesFromTexts() {
    QVERIFY(isRecordedFile(QStringLiteral("/nowhere/session.safetensors")));
    QVERIFY(isRecordedFile(written(QByteArray("\x10\0\0\0\0\0\0\0{\"a\"", 12))));
    QVERIFY(!isRecordedFile(written("{\"a\": 1} is text")));
    QVERIFY(!isRecordedFile(written("x")));
  }

  /// As a shell's <(…) has one.
  void readsAPipeFromItsBeginning() {
    const QString path = folder_.filePath(QStringLiteral("pipe"));
    const std::string name = path.toStdString();
    QCOMPARE(::mkfifo(name.c_str(), 0600), 0);
    const int pipe = ::open(name.c_str(), O_RDWR | O_CLOEXEC);
    const QByteArray text = QByteArray("Down the hole.\n").repeated(2000);
    QVERIFY(::write(pipe, text.constData(), static_cast<std::size_t>(text.size())) == text.size());
    QVERIFY(!isRecordedFile(path));  // and takes nothing of it
    int waiting = 0;
    QCOMPARE(::ioctl(pipe, FIONREAD, &waiting), 0);
    QCOMPARE(waiting, static_cast<int>(text.size()));
    // What comes later is part of it, too.
    std::thread writer([pipe, &text] {
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
      (void)!::write(pipe, text.constData(), static_cast<std::size_t>(text.size()));
      ::close(pipe);
    });
    const auto read = readTextFile(path);
    writer.join();
    QVERIFY(read);
    QCOMPARE(read->size(), 2 * text.size());
  }

 private:
  QString written(const QByteArray& bytes) {
    const QString path = folder_.filePath(QStringLiteral("text.txt"));
    QFile file(path);
    if (file.open(QIODevice::WriteOnly)) file.write(bytes);
    return path;
  }
  QString textOf(const QByteArray& bytes) { return readTextFile(written(bytes)).value_or(QStringLiteral("refused")); }

  QTemporaryDir folder_;
};

QTEST_GUILESS_MAIN(TextFileTest)
#include "text_file_test.moc"
