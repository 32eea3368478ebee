// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/parts/text_sheet.h"

#include <QDialogButtonBox>
#include <QLabel>
#include <QVBoxLayout>

#include "ui/panels/parts/scrolled_area.h"

namespace natscope::ui {
namespace {

constexpr int lineWidth = 560;
constexpr int leastHeight = 120;

}  // namespace

TextSheet::TextSheet(const QString& title, const QString& html, QWidget* parent) : QDialog(parent) {
  setWindowTitle(title);
  setAttribute(Qt::WA_DeleteOnClose);
  auto* const text = new QLabel(html, this);
  text->setTextFormat(Qt::RichText);
  text->setWordWrap(true);
  text->setFixedSize(lineWidth, text->heightForWidth(lineWidth));
  text->setTextInteractionFlags(Qt::TextBrowserInteraction);
  text->setOpenExternalLinks(true);
  auto* const buttons = new QDialogButtonBox(QDialogButtonBox::Close, this);
  connect(buttons, &QDialogButtonBox::rejected, this, &QDialog::close);
  auto* const layout = new QVBoxLayout(this);
  layout->setContentsMargins(18, 16, 18, 12);
  layout->addWidget(new ScrolledArea(text, leastHeight, this));
  layout->addWidget(buttons);
  fitToScreen(*this);
}

QString conceptsText() {
  return TextSheet::tr(
      "<p>In every attention head a token is <b>Global</b> (G, kept for ever), <b>Local</b> (L, kept until that head's "
      "next Global) or <b>Sliding</b> (S, kept for the next W tokens); a NAtS model learns which, and a policy such as "
      "<i>window</i> or <i>streaming</i> can set it from outside.</p>"
      "<p>What if this token had stayed? A right click on the role map sets the role of one token in one head, or in "
      "all "
      "of them; the Run menu sets W and takes roles from a file. The tokens that are shown are then read again with "
      "them, as "
      "<i>--force</i>, <i>--window</i> and <i>--roles</i> do on the command line. Keep the run before (Ctrl+K) and the "
      "differences are counted.</p>"
      "<p>A token's <b>loss</b> is &minus;ln of the probability that the model gave it before it came, in nats: how "
      "surprising it was. The text can be coloured by it (C), and while a run is kept by how much larger or smaller it "
      "is now: which tokens a policy makes worse. Export (Ctrl+E) makes figures of both, and of which cache holds "
      "what. "
      "The perplexity is exp of the mean loss.</p>"
      "<p>The <b>KV fraction</b> is the number of entries (a key and a value) that the heads hold after a token, "
      "divided by what full attention would hold; <i>live</i> counts those, <i>allocated</i> is the memory of the "
      "pages they lie on, <i>dense</i> is full attention's.</p>"
      "<p>The paper counts its window of W slots whole, whatever is in it, so its figure, which stands beside ours "
      "where results are compared, is never the smaller one.</p>"
      "<p>D. Deng and M. Lindauer, <i>Neural Attention Search</i>, NeurIPS 2025, "
      "<a href='https://arxiv.org/abs/2502.13251'>arXiv 2502.13251</a></p>");
}

QString aboutText(const AboutFacts& facts) {
  const auto row = [](const QString& name, const QString& value) {
    return QStringLiteral("<tr><td style='padding-right:14px'>%1</td><td>%2</td></tr>")
        .arg(name, value.toHtmlEscaped());
  };
  QString text = QStringLiteral("<h3>NAtScope %1</h3><table>").arg(QStringLiteral(NATSCOPE_VERSION));
  text += row(TextSheet::tr("Engine"), facts.engine.isEmpty() ? TextSheet::tr("not running") : facts.engine);
  if (!facts.model.isEmpty()) text += row(TextSheet::tr("Model"), facts.model);
  if (!facts.device.isEmpty()) text += row(TextSheet::tr("Device"), facts.device);
  text += row(QStringLiteral("Qt"), QString::fromLatin1(qVersion()));
  text += QStringLiteral("</table>");
  text += TextSheet::tr(
      "<p>Free software under the GNU General Public License, version 3 or later; it comes without any warranty.</p>"
      "<p>It uses Qt (LGPL-3.0), QCustomPlot (GPL-3.0-or-later), LibTorch (BSD-3-Clause), sentencepiece (Apache-2.0), "
      "Highway (Apache-2.0), nlohmann/json (MIT), CLI11 (BSD-3-Clause), libzip (BSD-3-Clause), PCRE2 (BSD-3-Clause) "
      "and utf8proc (MIT).</p>"
      "<p>The method: <a href='https://arxiv.org/abs/2502.13251'>Neural Attention Search, arXiv 2502.13251</a></p>");
  return text;
}

}  // namespace natscope::ui
