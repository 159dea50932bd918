// A session that has ended: the page goes to the sign-in instead of standing still.
(function () {
  const ask = window.fetch.bind(window);
  window.fetch = async function (...given) {
    const answer = await ask(...given);
    if (answer.status === 401 && new URL(answer.url, location.href).origin === location.origin) {
      const here = location.pathname + location.search;
      location.assign("/sign-in?next=" + encodeURIComponent(here) + "&lang=" + (document.documentElement.lang.startsWith("zh") ? "zh" : "en"));
    }
    return answer;
  };
})();
