/* The few things that must happen in the browser. Named functions only: nothing here is built from data. */
(function () {
  "use strict";

  const chinese = () => document.documentElement.lang === "zh-CN";

  window.dash_clientside = window.dash_clientside || {};
  window.dash_clientside.csatlas = {
    setTitle: function (title) {
      if (title) {
        document.title = title;
      }
      return window.dash_clientside.no_update;
    },
    toggleMenu: function (opened, navbar) {
      return [{ ...navbar, collapsed: { mobile: !opened } }, opened ? "true" : "false"];
    },
    closeMenu: function () {
      return false;
    },
    printPage: function () {
      window.print();
      return window.dash_clientside.no_update;
    },
  };

  /* Print: charts have the width of the screen and do not follow the paper by themselves. */
  const PAPER = 688; // px: A4 upright less the margins of the style sheet's @page

  const printedWidth = function (panel) {
    const edges = getComputedStyle(panel);
    const inside = parseFloat(edges.paddingLeft) + parseFloat(edges.paddingRight) + 2;
    const row = panel.parentElement;
    if (!row.classList.contains("charts")) {
      return PAPER - inside;
    }
    const alone = panel === row.lastElementChild && row.children.length % 2 === 1;
    return (alone ? PAPER : (PAPER - (parseFloat(getComputedStyle(row).columnGap) || 0)) / 2) - inside;
  };
  const charts = function () {
    return window.Plotly ? Array.from(document.querySelectorAll(".panel .js-plotly-plot")) : [];
  };
  window.addEventListener("beforeprint", function () {
    charts().forEach(function (chart) {
      window.Plotly.relayout(chart, { autosize: false, width: printedWidth(chart.closest(".panel")) });
    });
  });
  window.addEventListener("afterprint", function () {
    charts().forEach(function (chart) {
      window.Plotly.relayout(chart, { autosize: true, width: null });
    });
  });

  /* Files: tables come from the server, which draws the page's table anew; pictures are drawn here. */
  document.addEventListener("click", function (event) {
    const button = event.target.closest ? event.target.closest("button[data-export]") : null;
    if (!button) {
      document.querySelectorAll("details.download[open]").forEach(function (menu) {
        if (!menu.contains(event.target)) {
          menu.open = false;
        }
      });
      return;
    }
    const kind = button.dataset.kind;
    const menu = button.closest("details");
    if (kind === "png" || kind === "svg") {
      const graph = button.closest(".panel").querySelector(".js-plotly-plot");
      if (graph && window.Plotly) {
        window.Plotly.downloadImage(graph, {
          format: kind,
          width: graph.clientWidth,
          height: graph.clientHeight,
          scale: kind === "png" ? 2 : 1,
          filename: button.dataset.title.replace(/[^\p{L}\p{N}]+/gu, "-"),
        });
      }
    } else {
      window.dash_clientside.set_props("file-asked", { data: { key: button.dataset.export, kind: kind, at: Date.now() } });
    }
    menu.open = false;
    menu.querySelector("summary").focus();
  });
  document.addEventListener("keydown", function (event) {
    const menu = event.key === "Escape" && event.target.closest ? event.target.closest("details.download[open]") : null;
    if (menu) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  });

  window.dashMantineFunctions = window.dashMantineFunctions || {};
  /* A choice of a list filter, indented by its level in the tree. React writes the label as text. */
  window.dashMantineFunctions.csatlasTreeOption = function ({ option, checked }) {
    return React.createElement(
      "span",
      { className: "tree-option" + (checked ? " tree-option-checked" : ""), style: { paddingLeft: (option.depth || 0) * 16 } },
      React.createElement("span", { className: "tree-check", "aria-hidden": "true" }, checked ? "✓" : ""),
      option.label
    );
  };

  window.dashAgGridComponentFunctions = window.dashAgGridComponentFunctions || {};
  /* A customer key as a link to the history file; the key is text and part of an address, never markup. */
  window.dashAgGridComponentFunctions.csatlasCustomer = function (params) {
    const key = params.value;
    if (!key) {
      return "—";
    }
    if (!/^[0-9a-f]{6,}$/.test(key)) {
      return String(key); // masked
    }
    return React.createElement("a", { href: "/customer?who=" + encodeURIComponent(key), className: "cell-link" }, String(key).slice(0, 12));
  };

  window.dashAgGridFunctions = window.dashAgGridFunctions || {};
  window.dashAgGridFunctions.csatlasLocaleText = function (params) {
    const words = chinese() && window.csatlasAgGridLocales ? window.csatlasAgGridLocales["zh-CN"] : null;
    let text = (words && words[params.key]) || params.defaultValue;
    (params.variableValues || []).forEach(function (value) {
      text = text.replace(/\$\{[^}]*\}/, value);
    });
    return text;
  };
  window.dashAgGridFunctions.csatlasNumber = function (params) {
    if (params.value === null || params.value === undefined || params.value === "") {
      return "—";
    }
    return Number(params.value).toLocaleString(chinese() ? "zh-CN" : "en-GB", { maximumFractionDigits: 2 });
  };
  window.dashAgGridFunctions.csatlasExact = function (params) {
    if (params.value === null || params.value === undefined || params.value === "") {
      return "—";
    }
    return Number(params.value).toLocaleString(chinese() ? "zh-CN" : "en-GB", { maximumFractionDigits: 6 });
  };
  window.dashAgGridFunctions.csatlasGridTheme = function (base) {
    return base.withParams({
      fontFamily: "inherit",
      fontSize: 13,
      accentColor: "#0a5c8f",
      foregroundColor: "#1f2933",
      headerTextColor: "#55606e",
      headerBackgroundColor: "#f6f7f9",
      borderColor: "#e3e7eb",
      wrapperBorderRadius: 8,
      headerFontWeight: 600,
    });
  };
})();
