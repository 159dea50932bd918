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
