(function(){var d=document,k="class"+location.pathname,s={};
try{s=JSON.parse(sessionStorage[k])}catch(e){}
var o=s.open||[],a=d.querySelectorAll("details");
a.forEach(function(e){e.open=o.indexOf(e.id)>=0});
scrollTo(0,s.y||0);
function save(){o=[];a.forEach(function(e){if(e.open)o.push(e.id)});
try{sessionStorage[k]=JSON.stringify({open:o,y:scrollY})}catch(e){}}
addEventListener("pagehide",save);
var t=d.querySelector("time");
t.textContent=new Date(+t.dataset.ms).toLocaleTimeString();
d.documentElement.dataset.live="";
setTimeout(function(){save();location.reload()},2000)})()
